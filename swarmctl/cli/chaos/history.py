"""``swarmctl chaos history``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import Format, RunsDirOption, TableOrJson

app = typer.Typer()


@app.command()
def history(
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the N newest runs.")
    ] = None,
    fault: Annotated[
        str | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="Only runs of this fault.",
            autocompletion=completion.faults,
        ),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            "--outcome", metavar="OUTCOME", help="Only runs with this outcome, e.g. refuted."
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    runs_dir: RunsDirOption = Path("runs"),
) -> None:
    """List the runs, with medians and ranges of each fault that was run several times."""
    from dataclasses import asdict

    from swarmctl.chaos.faults import FAULTS
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report import history as histories
    from swarmctl.cli.show.history import show_history

    found = histories.summaries(Runs(runs_dir), warn=console.note)
    histories.check_filters(found, FAULTS, fault, outcome)
    chosen = histories.choose(found, last, fault, outcome)
    if format_ is Format.JSON:
        statistics = [asdict(one) for one in histories.statistics(chosen)]
        console.emit_json({"runs": [asdict(run) for run in chosen], "faults": statistics})
    elif chosen:
        show_history(chosen)
    else:
        console.emit(f"no run in {runs_dir}" if not found else "no run matches")
