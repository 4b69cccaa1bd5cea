"""The HTML page of one run, or of several side by side: one file, made from journals alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.phases import NAMES, phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import history, placement, stale, timeline, words
from swarmctl.chaos.report.picture import canvas, figure
from swarmctl.chaos.report.run_summary import RunSummary, overridden, summarize
from swarmctl.errors import SwarmctlError
from swarmctl.reading.files import PRIVATE, write_whole


def write(runs: Runs, journal: Journal) -> Path:
    """Write a run's page beside its journal.

    Raises:
        SwarmctlError: it cannot be written.
    """
    path = runs.report(journal.id)
    write_file(path, page([journal]))
    return path


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file that only the user can read, and the directories it needs.

    Raises:
        SwarmctlError: it cannot be written.
    """
    try:
        write_whole(path, content, PRIVATE)
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
    shared = canvas.frame(journals)
    inches = canvas.HALF if len(journals) > 1 else canvas.WIDE
    return environment.get_template("report.html.j2").render(
        views=[
            _view(run, figure.draw(run, shared, inches), figure.draw(run, shared, canvas.PHONE))
            for run in journals
        ],
        columns=history.COLUMNS,
        rows=[history.cells(summarize(run)) for run in journals],
    )


def _view(run: Journal, picture: str, on_a_phone: str) -> dict[str, Any]:
    """Everything the templates show of one run, ready to print."""
    fault = run.moment("fault") or 0.0
    return {
        "run": run,
        # Our own drawings: Matplotlib has escaped every text in them.
        "picture": Markup(picture),  # noqa: S704  # see above
        "on_a_phone": Markup(on_a_phone),  # noqa: S704  # see above
        "badge": words.badge(run),
        "result": words.result_without_badge(run),
        "name": words.title(run),
        "started": datetime.fromisoformat(run.started_at),
        "figures": _figures(run),
        "moments": _moments(run),
        "overridden": overridden(run),
        "duplicates": words.duplicates(run),
        "watched": words.watched(run),
        "agreement": words.agreement(run),
        "agrees": placement.agrees(run),
        "comparisons": placement.comparisons(run),
        "compared_nodes": placement.compared_nodes(run),
        "placements": placement.placements(run),
        "nodes": placement.nodes(run),
        "stale_columns": stale.COLUMNS,
        "stale": stale.rows(run),
        "stale_notes": stale.notes(run),
        "targets": {target.node for target in run.targets},
        "timeline": timeline.rows(run),
        "without_answer": [(since - fault, until - fault, why) for since, until, why in run.blind],
    }


def _moments(journal: Journal) -> list[tuple[str, str]]:
    """Name and time of every moment, ``""`` for one that never came; none without a fault."""
    at = phases(journal)
    if at["t_fault"] is None:
        return []
    moments = ((name, at[key]) for key, name in NAMES.items())
    return [(name, "" if at is None else f"{at:+.1f} s") for name, at in moments]


def _figures(journal: Journal) -> tuple[tuple[str, str], ...]:
    """The numbers people look for first, each with its label."""
    run = summarize(journal)
    if run.phases["t_fault"] is None:
        return ()
    revert, ready = journal.moment("revert"), journal.moment("nodes-ready")
    restored = None if revert is None or ready is None else ready - revert
    found = (
        (words.seconds(run.phases["t_down"]), "until the managers called it Down"),
        (words.seconds(run.phases["t_healthy"]), "until every replica served again"),
        *_replicas(run),
        (_lost(run.lost, run.probes), "probes lost"),
        (words.seconds(run.longest_outage_s), "longest outage"),
        (_lost(run.load_balancer_lost, run.load_balancer_probes), "lost through the load balancer"),
        (_lost(run.every_node_lost, run.every_node_probes), "lost by clients of every node"),
        (words.seconds(restored), "from revert to node Ready"),
    )
    return tuple((number, label) for number, label in found if number != words.NONE)


def _lost(lost: int, sent: int) -> str:
    return f"{lost} / {sent}" if sent else words.NONE


def _replicas(run: RunSummary) -> tuple[tuple[str, str], ...]:
    found = run.replicas
    if found is None or not found.lost:
        return ()
    moved = (f"{found.moved} / {found.lost}", "lost replicas run again")
    return moved, (str(found.kept), "replicas kept running")
