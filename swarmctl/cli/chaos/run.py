"""``swarmctl chaos run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.chaos.plan.document.options import Given
from swarmctl.cli import completion, console
from swarmctl.cli.chaos.plan_options import with_plan_options
from swarmctl.cli.options import ClusterOption, RunsDirOption
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.chaos.journal.journal import Journal
    from swarmctl.chaos.plan.plan import Plan

app = typer.Typer()

# Endings of experiment files; anything else is a fault's name.
_FILES = (".yml", ".yaml", ".json")


@app.command()
@with_plan_options
def run(
    fault: Annotated[
        str,
        typer.Argument(
            metavar="FAULT|FILE",
            help="A fault (`chaos faults` lists them), or an experiment file.",
            autocompletion=completion.faults,
        ),
    ],
    given: Given,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML, for CI.")
    ] = None,
    cluster: ClusterOption = None,
    runs_dir: RunsDirOption = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the fault.")] = False,
) -> int:
    """Run an experiment: baseline, guards, undo plan, fault, observation, verdict, revert, report.

    Without --target, a random worker is chosen, possibly one that a service is pinned to. In a
    terminal you must confirm (or pass --yes). With a FILE, the only experiment options allowed are
    --seed and --override.

    Exit code: 0 the Swarm recovered, 1 it did not, 2 usage, 3 a guard refused, 4 the revert failed,
    5 inconclusive, 130 interrupted (and reverted).
    """
    from swarmctl.chaos.plan.document.read import plan_from_file, plan_from_options
    from swarmctl.chaos.report import junit as junit_report

    is_file = fault.endswith(_FILES)
    plan = plan_from_file(Path(fault), given) if is_file else plan_from_options(fault, given)
    name = f"chaos {plan.title or plan.fault}"
    path = None if dry_run else junit
    with junit_report.written_at_end(path, name, console.note) as seen:
        return _run(plan, cluster, runs_dir, seen, dry_run=dry_run, yes=yes)


def _run(
    plan: Plan,
    cluster: str | None,
    runs_dir: Path,
    seen: list[Journal],
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    from swarmctl.chaos.experiments import Experiments
    from swarmctl.chaos.faults import FAULTS
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.chaos.report import html as report
    from swarmctl.cli.show.history import show_campaign
    from swarmctl.cli.show.progress import ConsoleProgress
    from swarmctl.cli.show.run import show_dry_run, show_run

    kind, runs, progress = FAULTS[plan.fault], Runs(runs_dir), ConsoleProgress()
    if kind.irreversible and not yes and not dry_run and not sys.stdin.isatty():
        raise UsageError(
            f"{kind.name} cannot be undone completely: {kind.undo}",
            "stdin is not a terminal: pass --yes or --dry-run",
        )
    experiments = Experiments(runs, progress, cluster)

    def ended(journal: Journal) -> None:
        progress.close()
        seen.append(journal)
        if journal.moment("fault") is not None:
            show_run(journal, report.write(runs, journal))

    try:
        if dry_run:
            journal = experiments.rehearse(plan)
            progress.close()
            show_dry_run(journal, plan)
            return int(Exit.REFUSED if journal.refusals else Exit.OK)
        ask = progress.ask if sys.stdin.isatty() and not yes else None
        campaign = experiments.run(plan, ask, ended)
    finally:
        progress.close()
    if campaign.planned > 1:
        show_campaign(campaign.journals, campaign.planned)
    if campaign.inconclusive:
        return int(Exit.INCONCLUSIVE)
    return int(Exit.OK if campaign.held else Exit.FAILED)
