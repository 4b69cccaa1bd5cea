"""The HTML page of one run, or of several side by side: one file, made from journals alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from swarmctl.chaos.journal.journal import GuardRecord, Journal
from swarmctl.chaos.journal.phases import NAMES, phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import comparison, history, placement, timeline, words
from swarmctl.chaos.report.picture import canvas, figure
from swarmctl.chaos.report.run_summary import overridden, summarize
from swarmctl.errors import SwarmctlError


@dataclass(frozen=True, slots=True)
class Moment:
    """One of the moments all runs have in common.

    Args:
        name: for people.
        at: seconds since the fault, for people; ``""`` when it never came.
    """

    name: str
    at: str


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything the templates show of one run, ready to print."""

    run: Journal
    picture: Markup
    badge: str
    result: str
    name: str
    started: datetime
    figures: tuple[tuple[str, str], ...]
    moments: tuple[Moment, ...]
    overridden: tuple[GuardRecord, ...]
    duplicates: str
    agreement: str
    agrees: bool | None
    comparisons: tuple[comparison.ServiceComparison, ...]
    compared_nodes: tuple[str, ...]
    placements: tuple[placement.ServicePlacement, ...]
    nodes: tuple[str, ...]
    targets: frozenset[str]
    timeline: tuple[timeline.TimelineRow, ...]
    without_answer: tuple[tuple[float, float, str], ...]


def write(runs: Runs, journal: Journal) -> Path:
    """Write a run's page beside its journal.

    Raises:
        SwarmctlError: it cannot be written.
    """
    path = runs.report(journal.id)
    write_file(path, page([journal]))
    return path


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file, and the directories it needs.

    Raises:
        SwarmctlError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise SwarmctlError(
            f"cannot write {path}: {error.strerror}", "choose another place"
        ) from error


def page(journals: Sequence[Journal]) -> str:
    """The page of one run, or of several side by side on one time axis.

    Args:
        journals: the runs, in the order in which they are shown.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("swarmctl.chaos.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared, several = canvas.frame(journals), len(journals) > 1
    return environment.get_template("report.html.j2").render(
        views=[_view(run, figure.draw(run, shared, narrow=several)) for run in journals],
        columns=history.COLUMNS,
        rows=[history.cells(summarize(run)) for run in journals],
    )


def _view(run: Journal, picture: str) -> RunView:
    fault = run.moment("fault") or 0.0
    blind = tuple((since - fault, until - fault, why) for since, until, why in run.blind)
    return RunView(
        run=run,
        # Our own drawing: Matplotlib has escaped every text in it.
        picture=Markup(picture),  # noqa: S704
        badge=words.badge(run),
        result=words.result_without_badge(run),
        name=words.title(run),
        started=datetime.fromisoformat(run.started_at),
        figures=_figures(run),
        moments=_moments(run),
        overridden=overridden(run),
        duplicates=words.duplicates(run),
        agreement=words.agreement(run),
        agrees=comparison.agrees(run),
        comparisons=comparison.comparisons(run),
        compared_nodes=comparison.nodes(run),
        placements=placement.placements(run),
        nodes=placement.nodes(run),
        targets=frozenset(target.node for target in run.targets),
        timeline=timeline.rows(run),
        without_answer=blind,
    )


def _moments(journal: Journal) -> tuple[Moment, ...]:
    """The moments of a run, also those that never came; none when the fault never did."""
    at = phases(journal)
    if at["t_fault"] is None:
        return ()
    moments = ((name, at[key]) for key, name in NAMES.items())
    return tuple(Moment(name, "" if at is None else f"{at:+.1f} s") for name, at in moments)


def _figures(journal: Journal) -> tuple[tuple[str, str], ...]:
    """The numbers people look for first, each with its label."""
    run = summarize(journal)
    if run.phases["t_fault"] is None:
        return ()
    revert, ready = journal.moment("revert"), journal.moment("nodes-ready")
    restored = None if revert is None or ready is None else ready - revert
    found = (
        (words.seconds(run.detection_s), "until the managers called it Down"),
        (words.seconds(run.recovery_s), "until every replica served again"),
        (f"{run.lost} / {run.probes}" if run.probes else words.NONE, "probes lost"),
        (words.seconds(run.longest_outage_s), "longest outage"),
        (words.seconds(restored), "from revert to node Ready"),
    )
    return tuple((number, label) for number, label in found if number != words.NONE)
