"""``swarmctl chaos doctor``: find what any run left behind, anywhere, and repair it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, RunsDirOption, TableOrJson
from swarmctl.errors import Exit

app = typer.Typer()


@app.command()
def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair leftovers of runs where that is safe.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run an undo plan's command without asking.")
    ] = False,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
    format_: TableOrJson = Format.TABLE,
) -> int:
    """Find what experiments left behind: in journals, in EC2, in the Swarm and on the nodes.

    The network is checked too: security groups, paths between nodes, published ports.

    Without --fix nothing is changed. With it, only what a run's undo plan or undo script covers
    is repaired; a run that may still be in progress is left alone. A command that replaces a
    terminated machine is shown and asked for.

    Exit code: 0 nothing is left, 1 something is left.
    """
    from swarmctl.chaos.doctor.findings import as_json
    from swarmctl.chaos.experiments import Experiments
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.cli.show.doctor import show_examination
    from swarmctl.cli.show.progress import ConsoleProgress

    progress = ConsoleProgress()
    try:
        consent = None if yes else progress.ask_for_command
        found = Experiments(Runs(runs_dir), progress, cluster).examine(fix=fix, consent=consent)
    finally:
        progress.close()
    if format_ is Format.JSON:
        console.emit_json(
            {
                "cluster": found.evidence.cluster,
                "nodes": sorted(found.evidence.reports),
                "findings": as_json(found.findings),
                "mended": found.mended,
                "failed": found.failed,
            }
        )
    else:
        show_examination(found, fix=fix)
    return int(Exit.FAILED if found.findings else Exit.OK)
