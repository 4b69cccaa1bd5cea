"""``swarmctl chaos faults``."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def faults() -> None:
    """List the faults: what each does, and how it is undone."""
    from swarmctl.chaos.faults import FAULTS
    from swarmctl.cli.show.faults import show_faults

    show_faults(FAULTS.values())
