"""``swarmctl chaos faults``."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def faults() -> None:
    """List the faults: what each does, how it is undone, and its options."""
    from swarmctl.chaos.fault.kind import OPTION_KEYS
    from swarmctl.chaos.faults import FAULTS
    from swarmctl.cli.show.table import Column, print_table

    columns = (
        Column("fault"),
        *(Column(name, wraps=True) for name in ("effect", "revert", "options")),
    )
    rows = [
        (
            kind.name,
            kind.summary,
            kind.undo,
            " ".join(f"--{OPTION_KEYS[k]}" for k in kind.option_names),
        )
        for kind in FAULTS.values()
    ]
    print_table("Faults", columns, rows)
