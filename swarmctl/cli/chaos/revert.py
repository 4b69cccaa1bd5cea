"""``swarmctl chaos revert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, RunsDirOption
from swarmctl.errors import Exit

app = typer.Typer()


@app.command()
def revert(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Id of the run to revert.  [default: all pending ones]",
            autocompletion=completion.runs,
        ),
    ] = None,
    from_swarm: Annotated[
        bool,
        typer.Option(
            "--from-swarm", help="Revert the run whose undo plan is in the Swarm's chaos lock."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="With --from-swarm: even if the lock's owner seems alive."),
    ] = False,
    replace_with: Annotated[
        str,
        typer.Option(
            "--replace-with",
            metavar="COMMAND",
            help="With --from-swarm: makes a terminated machine anew; the lock's own is never run.",
        ),
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Run the undo plan's command without asking.")
    ] = False,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
) -> int:
    """Undo what a run left behind, for example after kill -9. Safe to repeat.

    A run whose process is alive is left alone. instance-terminate is undone by a command on this
    machine: it is shown and asked for.
    """
    from swarmctl.chaos.experiments import Experiments
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.cli.show.progress import ConsoleProgress
    from swarmctl.cli.show.run import lock_reverted

    progress = ConsoleProgress()
    experiments = Experiments(Runs(runs_dir), progress, cluster)
    consent = None if yes else progress.ask_for_command
    try:
        if from_swarm:
            console.emit(
                lock_reverted(
                    experiments.revert_from_swarm(
                        force=force, replace_with=replace_with, consent=consent
                    )
                )
            )
            return int(Exit.OK)
        reverted = experiments.revert(run_id, consent)
    finally:
        progress.close()
    for one in reverted:
        console.emit(f"reverted {one}")
    if not reverted:
        named = f"run {run_id}" if run_id else f"no run in {runs_dir}"
        console.emit(f"{named}: nothing left to undo")
    return int(Exit.OK)
