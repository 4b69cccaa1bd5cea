"""The commands of ``swarmctl chaos``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from rich.status import Status
    from rich.table import Table

    from swarmctl.chaos.experiment import Experiment, Request
    from swarmctl.chaos.journal import Journal, Runs
    from swarmctl.chaos.targets import Selection

app = typer.Typer(no_args_is_help=True)

# Without a terminal the status is a line now and then, not one that moves.
_STATUS_EVERY_S = 5.0

RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where journals and reports are kept.")]
ClusterName = Annotated[
    str | None, typer.Option("--cluster", help="The cluster, if the region has several.")
]


@app.callback()
def chaos() -> None:
    """Take something away on purpose, prove that the Swarm recovers, put it back."""


@app.command()
def run(
    fault: Annotated[str, typer.Argument(help="What to do to the targets: instance-stop.")],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="A node to take away; can be given several times."),
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", help="Draw among the nodes of this role.  [worker]")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", help="How many to draw.  [1]")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Repeat a draw; printed when it is not given.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds the Swarm has to recover.")
    ] = 120,
    probe_service: Annotated[
        str | None,
        typer.Option(
            "--probe-service",
            help="The service to ask over HTTP meanwhile, or none.  [the stacks' published ones]",
        ),
    ] = None,
    cluster: ClusterName = None,
    runs_dir: RunsDir = Path("runs"),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask when nodes are drawn.")
    ] = False,
) -> int:
    """Run an experiment: baseline, guards, undo plan, fault, observation, verdict, revert, report.

    Without --target the node is drawn: any worker may be hit, also the one a service is pinned to;
    at a terminal you are asked first. Exit code: 0 the Swarm recovered, 1 it did not, 2 usage,
    3 a guard refused, 4 the revert failed, 130 interrupted (and reverted).
    """
    from swarmctl.chaos import report
    from swarmctl.chaos.faults import known_fault
    from swarmctl.chaos.journal import Runs

    selection = _selection(target, role, count, seed)
    known_fault(fault)
    progress = ConsoleProgress()

    def request(cluster: str, region: str) -> Request:
        from swarmctl.chaos.experiment import Request

        return Request(fault, cluster, region, selection, timeout, probe_service, Runs(runs_dir))

    # Whoever names a node has consented to losing it.
    ask = not (yes or selection.names) and sys.stdin.isatty()
    experiment, close = _experiment(request, cluster, progress, ask=ask)
    try:
        experiment.run()
    finally:
        progress.close()
        close()
        if experiment.journal.moment("fault") is not None:
            path = report.write(Runs(runs_dir), experiment.journal)
            _show(experiment.journal, path)
    return int(Exit.OK if experiment.journal.outcome == "held" else Exit.FAILED)


@app.command()
def revert(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Which run.  [all that need it]")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> int:
    """Undo what a run left behind, for example after kill -9. Can be repeated without harm."""
    from swarmctl.chaos.journal import Runs

    runs = Runs(runs_dir)
    with runs.lock():
        found = (runs.load(run_id),) if run_id else runs.pending()
        pending = [journal for journal in found if journal.undo.pending]
        if not pending:
            named = f"run {run_id}" if run_id else f"no run in {runs_dir}"
            console.emit(f"{named}: nothing left to undo")
        for journal in pending:
            _revert(runs, journal)
            console.emit(f"reverted {journal.id}")
    return int(Exit.OK)


@app.command("report")
def make_report(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Which run.")],
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Make a run's report again from its journal, and print where it is."""
    from swarmctl.chaos import report
    from swarmctl.chaos.journal import Runs

    runs = Runs(runs_dir)
    console.emit(str(report.write(runs, runs.load(run_id))))


# -- wiring ---------------------------------------------------------------------------------------


def _selection(
    names: Sequence[str] | None, role: str | None, count: int | None, seed: int | None
) -> Selection:
    from swarmctl.chaos.targets import Selection

    if names and (role is not None or count is not None or seed is not None):
        raise UsageError(
            "--target names the nodes; --role, --count and --seed draw them",
            "use one way or the other",
        )
    return Selection(tuple(names or ()), role or "worker", 1 if count is None else count, seed)


def _experiment(
    request: Callable[[str, str], Request],
    cluster: str | None,
    progress: ConsoleProgress,
    *,
    ask: bool,
) -> tuple[Experiment, Callable[[], None]]:
    """The experiment on the real world, and what closes the connections to it."""
    from swarmctl.chaos.experiment import Experiment, World
    from swarmctl.chaos.interrupts import Interrupts
    from swarmctl.chaos.live import LiveSwarms
    from swarmctl.chaos.probes import HttpProber
    from swarmctl.chaos.seams import WallClock
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cluster import resolve

    ec2 = Cloud()
    target = resolve(cluster, cloud=lambda: ec2)
    swarms, clock = LiveSwarms(target.endpoints), WallClock()
    world = World(
        swarms=swarms,
        ec2=ec2,
        clock=clock,
        prober=HttpProber(clock.now),
        interrupts=Interrupts(),
        progress=progress,
        consent=lambda lines: progress.ask(lines) if ask else None,
    )
    return Experiment(request(target.cluster, ec2.region), world), swarms.close


def _revert(runs: Runs, journal: Journal) -> None:
    from swarmctl.chaos.live import LiveSwarms
    from swarmctl.chaos.revert import revert as undo
    from swarmctl.chaos.seams import WallClock
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cluster import manager_endpoints

    progress = ConsoleProgress()
    progress.step(f"Revert {journal.id}")
    ec2 = Cloud(journal.region or None)

    def connect() -> LiveSwarms:
        return LiveSwarms(manager_endpoints(journal.cluster, ec2.instances(journal.cluster)))

    try:
        undo(journal, runs, ec2, connect, WallClock(), progress)
    finally:
        progress.close()


# -- what people see ------------------------------------------------------------------------------


class ConsoleProgress:
    """Progress on stderr: steps and notes as lines, the status as a line that moves.

    It never raises: a closed terminal or a broken pipe must not end an experiment half way.
    """

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._status: Status | None = None
        self._gone = False
        self._last, self._last_at = "", 0.0

    def step(self, title: str) -> None:
        """A phase begins."""
        self._print(f"• {title}", "bold")

    def note(self, text: str) -> None:
        """Something happened."""
        style = {"✗": "red", "✓": "green"}.get(text[:1], "")
        self._print(f"  {text}", style)

    def status(self, text: str) -> None:
        """How things stand."""
        if not console.err().is_terminal:
            now = time.monotonic()
            if text != self._last and now - self._last_at >= _STATUS_EVERY_S:
                self._last, self._last_at = text, now
                self._print(f"  … {text}", "")
            return
        self._safely(lambda: self._spin(text))

    def ask(self, lines: Sequence[str]) -> None:
        """Show what will happen and let the user call it off.

        Raises:
            InterruptedRunError: the answer is no.
        """
        from swarmctl.chaos.interrupts import InterruptedRunError

        self.close()
        for line in lines:
            self._print(f"  {line}", "")
        if not typer.confirm("Go on?", err=True):
            raise InterruptedRunError("called off; nothing was touched")

    def close(self) -> None:
        """Stop what moves."""
        status, self._status = self._status, None
        if status is not None:
            self._safely(status.stop)

    def _spin(self, text: str) -> None:
        from rich.markup import escape

        line = escape(text)
        if self._status is None:
            self._status = console.err().status(line)
            self._status.start()
        else:
            self._status.update(line)

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        self._safely(lambda: console.err().print(Text(text, style=style), soft_wrap=True))

    def _safely(self, write: Callable[[], None]) -> None:
        if self._gone:
            return
        try:
            write()
        except (OSError, SystemExit):  # Rich answers a broken pipe with SystemExit
            self._gone = True


def _show(journal: Journal, path: Path) -> None:
    """The result on stdout: time line, placement, probes, verdict, and where the report is."""
    from rich.text import Text

    from swarmctl.chaos import report, timeline

    out = console.out()
    table = _table("Timeline")
    table.add_column("since fault", justify="right", no_wrap=True)
    table.add_column("what")
    table.add_column("whose word", style="dim")
    for row in timeline.rows(journal):
        table.add_row(f"{row.at_s:+.1f} s", Text(row.what), row.source)
    out.print(table)
    _show_placement(journal)
    _show_probes(journal)
    style = {"held": "bold green", "refuted": "bold red"}.get(journal.outcome, "bold yellow")
    out.print(Text(report.sentence(journal), style=style), soft_wrap=True)
    console.emit(f"report: {path}")


def _show_placement(journal: Journal) -> None:
    from rich.text import Text

    from swarmctl.chaos import report

    if not journal.after:
        return
    nodes, targets = report.node_names(journal), {t.node for t in journal.targets}
    table = _table("Placement, before the fault → at the verdict")
    table.add_column("service")
    for node in nodes:
        table.add_column(
            Text(node, style="red" if node in targets else ""), justify="right", no_wrap=True
        )
    table.add_column("total", justify="right", no_wrap=True)
    for row in report.placement_rows(journal):
        cells = [f"{cell.before} → {cell.after}" for cell in (*row.cells, row.total)]
        table.add_row(row.service, *cells)
    console.out().print(table)


def _show_probes(journal: Journal) -> None:
    from rich.text import Text

    if not journal.probes:
        return
    table = _table("Probes")
    for title in ("service", "sent", "lost", "longest outage", "median", "99 %", "failures"):
        justify = "left" if title in ("service", "failures") else "right"
        table.add_column(title, justify=justify)  # type: ignore[arg-type]  # two of its literals
    for probe in journal.probes:
        table.add_row(
            probe.service,
            str(probe.sent),
            str(probe.lost),
            f"{probe.longest_outage_s:.1f} s",
            f"{probe.median_ms:.0f} ms",
            f"{probe.p99_ms:.0f} ms",
            Text(", ".join(f"{n} of {text}" for text, n in probe.failures.items()) or "none"),
        )
    console.out().print(table)


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
