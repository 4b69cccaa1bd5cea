"""What ``swarmctl chaos doctor`` prints: the findings, and a summary in one line."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from swarmctl.chaos.doctor.findings import Finding, Severity
from swarmctl.chaos.experiments import Examination
from swarmctl.cli import console

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def show_examination(found: Examination, *, fix: bool) -> None:
    """Print an examination on stdout.

    Args:
        found: what to print.
        fix: whether repairs were asked for.
    """
    if found.findings:
        console.out().print(_table(found.findings))
    console.emit(_summary(found, fix=fix))


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("place", "severity", "since (UTC)", "finding, and the command that repairs it"):
        table.add_column(title, no_wrap=title in ("severity", "since (UTC)"), overflow="fold")
    place = ""
    for found in findings:
        if place and place != found.place:
            table.add_section()
        table.add_row(
            "" if found.place == place else Text(found.place, style="bold"),
            Text(found.severity, style=_STYLES[found.severity]),
            f"{found.since:%Y-%m-%d %H:%M:%S}" if found.since else "",
            Text.assemble(found.what, "\n", (f"→ {found.command}", "cyan")),
        )
        place = found.place
    return table


def _summary(found: Examination, *, fix: bool) -> str:
    mended, failed, findings = found.mended, found.failed, found.findings
    done = f"{len(mended)} repaired, {len(failed)} failed; " if mended or failed else ""
    if not findings:
        nodes = _count(len(found.evidence.reports), "node")
        place = f"{found.evidence.runs_dir}/"
        return f"{done}nothing left behind on {nodes}, in the Swarm and in {place}"
    errors = sum(one.severity is Severity.ERROR for one in findings)
    text = f"{done}{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
    if fix:
        return f"{text} left; --fix repairs only what a run's plan or undo script accounts for"
    return f"{text}; --fix repairs {sum(one.repair is not None for one in findings)} of them"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
