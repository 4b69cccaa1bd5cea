"""What people see of an experiment: while it runs on stderr, its result on stdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from swarmctl.cli import console

if TYPE_CHECKING:
    from rich.status import Status
    from rich.table import Table

    from swarmctl.chaos.experiments import LockReverted
    from swarmctl.chaos.fault.kind import Kind
    from swarmctl.chaos.journal.journal import Journal
    from swarmctl.chaos.plan.plan import Plan
    from swarmctl.chaos.report.facts import Facts

# Without a terminal the status is a line now and then, not one that moves.
_STATUS_EVERY_S = 5.0


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
        style = {"✗": "red", "✓": "green", "!": "yellow"}.get(text[:1], "")
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
        from swarmctl.chaos.run.interrupts import InterruptedRunError

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


def show(journal: Journal, path: Path) -> None:
    """The result on stdout: time line, placement, probes, verdict, and where the report is."""
    from rich.text import Text

    from swarmctl.chaos.journal import phases
    from swarmctl.chaos.report import facts, timeline

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
    out.print(Text(phases.line(journal)), soft_wrap=True)
    _show_warnings(journal)
    style = {"held": "bold green", "refuted": "bold red"}.get(journal.outcome, "bold yellow")
    out.print(Text(facts.sentence(journal), style=style), soft_wrap=True)
    console.emit(f"report: {path}")


def _show_warnings(journal: Journal) -> None:
    """What must not be missed: a surprise, guards that were overridden, duplicates."""
    from rich.text import Text

    from swarmctl.chaos.report import facts, foreseen

    lines = []
    if journal.agreement:
        style = "green" if journal.agreement["agrees"] else "yellow"
        lines.append(Text(f"placement {foreseen.headline(journal)}", style=style))
    if facts.overridden(journal):
        names = ", ".join(facts.overridden(journal))
        lines.append(Text(f"! guards overridden: {names}", style="bold yellow"))
    if facts.twice(journal):
        lines.append(Text(f"! {facts.twice(journal)}", style="bold yellow"))
    for line in lines:
        console.out().print(line, soft_wrap=True)


def _show_placement(journal: Journal) -> None:
    """Where the replicas were and are; behind it the predicted range, red where it was missed."""
    from rich.text import Text

    from swarmctl.chaos.report import facts, foreseen

    if not journal.after:
        return
    nodes, targets = facts.node_names(journal), {t.node for t in journal.targets}
    rows = foreseen.rows(journal)
    predicted = {
        (row.service, node): cell
        for row in rows
        for node, cell in zip(foreseen.nodes(journal), row.cells, strict=True)
    }
    behind = " (predicted)" if rows else ""
    table = _table(f"Placement, before the fault → at the verdict{behind}")
    table.add_column("service")
    for node in nodes:
        table.add_column(
            Text(node, style="red" if node in targets else ""), justify="right", no_wrap=True
        )
    table.add_column("total", justify="right", no_wrap=True)
    for line in facts.placement_rows(journal):
        cells = []
        for node, cell in zip(nodes, line.cells, strict=True):
            found = predicted.get((line.service, node))
            text = f"{cell.before} → {cell.after}" + (f" ({found.range})" if found else "")
            cells.append(Text(text, style="bold red" if found and found.differs else ""))
        table.add_row(line.service, *cells, f"{line.total.before} → {line.total.after}")
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


def list_faults(kinds: Iterable[Kind]) -> None:
    """The faults, one a row."""
    from rich.text import Text

    table = _table("Faults")
    for title in ("fault", "what it does", "how it is undone", "options"):
        table.add_column(title, no_wrap=title == "fault")
    for kind in kinds:
        options = " ".join(_OPTIONS[name] for name in kind.takes)
        table.add_row(kind.name, Text(kind.summary), Text(kind.undo), Text(options))
    console.out().print(table)


_OPTIONS = {
    "force": "--force",
    "sever": "--from",
    "level": "--level",
    "delay_ms": "--delay",
    "replace_with": "--replace-with",
}


def rehearsal(journal: Journal, plan: Plan) -> None:
    """What a run would do: on stdout, because it is what was asked for."""
    from rich.text import Text

    out = console.out()
    table = _table("Targets")
    for title in ("target", "role", "instance", "address"):
        table.add_column(title, no_wrap=True)
    for target in journal.targets:
        table.add_row(target.what, target.role, target.instance_id, target.address)
    out.print(table)
    table = _table("Guards")
    for title in ("guard", "says", "because"):
        table.add_column(title, no_wrap=title != "because")
    for guard in journal.guards:
        says = "yes" if guard.ok else "overridden" if guard.overridden else "no"
        table.add_row(guard.name, says, Text(guard.detail))
    out.print(table)
    _show_prediction(journal)
    table = _table("Undo plan")
    for title in ("step", "node", "by hand"):
        table.add_column(title, no_wrap=title != "by hand")
    for step in journal.undo.steps:
        table.add_row(step.action, step.node, Text(step.by_hand))
    out.print(table)
    out.print(Text(f"Hypothesis: {journal.hypothesis}"), soft_wrap=True)
    rounds = f", {plan.repeat} times" if plan.repeat > 1 else ""
    rounds += ", rolling over the nodes" if plan.rolling else ""
    console.emit(f"dry run of {journal.experiment}{rounds}: nothing was touched")


def _show_prediction(journal: Journal) -> None:
    from rich.text import Text

    forecast = journal.prediction
    if forecast is None:
        return
    outcomes = forecast["outcomes"]
    how = "all that is possible" if forecast["exhaustive"] else "others are possible"
    nodes = sorted({n for o in outcomes for counts in o["counts"].values() for n in counts})
    table = _table(f"Prediction: {len(outcomes)} outcomes, {how}")
    table.add_column("service")
    for node in nodes:
        table.add_column(node, justify="right", no_wrap=True)
    table.add_column("pending", justify="right")
    for service in sorted(forecast["before"]):
        cells = [
            _range(o["counts"].get(service, {}).get(node, 0) for o in outcomes) for node in nodes
        ]
        table.add_row(service, *cells, _range(o["pending"].get(service, 0) for o in outcomes))
    console.out().print(table)
    for service, reason in forecast["reasons"].items():
        console.out().print(Text(f"pending {service}: {reason}"), soft_wrap=True)


def _range(values: Iterable[int]) -> str:
    found = sorted(set(values)) or [0]
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def lock_reverted(found: LockReverted) -> str:
    """What was done about the Swarm's chaos lock, in a sentence."""
    if not found.owner:
        return "the Swarm's chaos lock is free: nothing left to undo"
    if not found.run_id:
        return f"released the lock of {found.owner}; it held no plan"
    return f"reverted {found.run_id}"


def summary(journals: Sequence[Journal], planned: int) -> None:
    """Several runs of one command, one a row."""
    from swarmctl.chaos.report.facts import facts

    past([facts(journal) for journal in journals], f"{len(journals)} of {planned} runs")


def past(runs: Sequence[Facts], title: str = "") -> None:
    """Runs that are over, one a row, and what several of one fault have in common."""
    from rich.text import Text

    from swarmctl.chaos.report import history

    table = _table(title or f"{len(runs)} run{'s' if len(runs) > 1 else ''}")
    for index, name in enumerate(("when (UTC)", *history.COLUMNS)):
        wraps = name == "targets"
        right = index > _WORDS
        table.add_column(name, no_wrap=not wraps, justify="right" if right else "left")
    for run in runs:
        cells = history.cells(run)
        styles = ("", "", "", _STYLES.get(run.outcome, "yellow"))
        words = [Text(cell, style=style) for cell, style in zip(cells, styles, strict=False)]
        when = run.started_at[:19].replace("T", " ")
        table.add_row(when, *words, *cells[len(words) :])
    console.out().print(table)
    summaries = history.summaries(runs)
    if not summaries:
        return
    table = _table("Medians, and ranges")
    for name in ("fault", "runs", "held", "down", "healthy", "probes lost", "longest outage"):
        table.add_column(name, no_wrap=True, justify="left" if name == "fault" else "right")
    table.add_column("as predicted", no_wrap=True, justify="right")
    for one in summaries:
        table.add_row(
            one.fault,
            str(one.runs),
            str(one.held),
            history.spread_text(one.figures.get("detection_s")),
            history.spread_text(one.figures.get("recovery_s")),
            history.spread_text(one.figures.get("lost"), unit=""),
            history.spread_text(one.figures.get("longest_outage_s")),
            f"{one.agreed} of {one.predicted}" if one.predicted else history.NOTHING,
        )
    console.out().print(table)


_STYLES = {"held": "green", "refuted": "red", "revert-failed": "red", "error": "red"}
_WORDS = 4  # so many columns behind "when" are words; the others are numbers
