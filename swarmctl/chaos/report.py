"""``report.html``: one run on one page that needs nothing else. Made from the journal alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from swarmctl.chaos import picture, timeline
from swarmctl.chaos.journal import Journal, Placement, Runs
from swarmctl.errors import SwarmctlError

BADGES = {
    "held": "HELD",
    "refuted": "REFUTED",
    "refused": "REFUSED",
    "interrupted": "INTERRUPTED",
    "error": "ENDED BY AN ERROR",
    "revert-failed": "REVERT FAILED",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Replicas of one service on one node: before the fault, at the verdict, at the end."""

    before: int
    after: int
    final: int

    @property
    def change(self) -> int:
        """How many more at the verdict than before the fault."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class PlacementRow:
    """One service's line of the placement table."""

    service: str
    wanted: int
    cells: tuple[Cell, ...]

    @property
    def total(self) -> Cell:
        """The sums over all nodes."""
        return Cell(
            sum(cell.before for cell in self.cells),
            sum(cell.after for cell in self.cells),
            sum(cell.final for cell in self.cells),
        )


def write(runs: Runs, journal: Journal) -> Path:
    """Render a run's report beside its journal.

    Raises:
        SwarmctlError: it can't be written.
    """
    path = runs.report(journal.id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(journal), encoding="utf-8")
    except OSError as error:
        raise SwarmctlError(f"cannot write the report {path}: {error.strerror}") from error
    return path


def render(journal: Journal) -> str:
    """The page, as text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("swarmctl.chaos", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fault = journal.moment("fault") or 0.0
    return environment.get_template("report.html.j2").render(
        run=journal,
        badge=BADGES.get(journal.outcome, "NOT ENDED"),
        sentence=sentence(journal),
        started=datetime.fromisoformat(journal.started_at),
        # Our own drawing; every text in it went through Matplotlib's XML escaping.
        picture=Markup(picture.draw(journal)),  # noqa: S704
        nodes=node_names(journal),
        targets={target.node for target in journal.targets},
        placement=placement_rows(journal),
        timeline=timeline.rows(journal),
        figures=figures(journal),
        blind=[
            (since - (fault or 0), until - (fault or 0), why) for since, until, why in journal.blind
        ],
    )


def sentence(journal: Journal) -> str:
    """The run in one sentence: the verdict and the probes, or why there is no verdict."""
    badge = BADGES.get(journal.outcome, "NOT ENDED")
    if journal.verdict is None:
        refused = ", ".join(guard.name for guard in journal.guards if not guard.ok)
        by = f" by guard {refused}" if refused else ""
        return f"{badge}{by}: no verdict; {_undone(journal)}"
    if journal.outcome not in ("held", "refuted"):
        return f"{badge} after the verdict; {_undone(journal)}. {journal.verdict.sentence}"
    sent, lost = sum(p.sent for p in journal.probes), sum(p.lost for p in journal.probes)
    if not sent:
        return journal.verdict.sentence
    outage = max(p.longest_outage_s for p in journal.probes)
    longest = f", longest outage {outage:.1f} s" if lost else ""
    return f"{journal.verdict.sentence}; {lost} of {sent} probes lost{longest}"


def _undone(journal: Journal) -> str:
    if journal.undo.pending:
        return f"not everything is put back: swarmctl chaos revert {journal.id}"
    return "what was taken is put back" if journal.undo.steps else "nothing was touched"


def figures(journal: Journal) -> list[tuple[str, str]]:
    """The numbers people look for first, each with what it is."""
    fault = journal.moment("fault")
    if fault is None:
        return []
    found = []
    down = journal.moments("node-down")
    if down:
        found.append((f"{max(down) - fault:.1f} s", "until the managers called it Down"))
    if journal.verdict and journal.verdict.redistributed_s is not None:
        took = journal.verdict.redistributed_s - fault
        found.append((f"{took:.1f} s", "until every replica served again"))
    if journal.probes:
        lost, sent = sum(p.lost for p in journal.probes), sum(p.sent for p in journal.probes)
        found.append((f"{lost} / {sent}", "probes lost"))
        outage = max(p.longest_outage_s for p in journal.probes)
        found.append((f"{outage:.1f} s", "longest outage"))
    begin, ready = journal.moment("revert"), journal.moment("nodes-ready")
    if begin is not None and ready is not None:
        found.append((f"{ready - begin:.1f} s", "from revert to node Ready"))
    return found


def node_names(journal: Journal) -> tuple[str, ...]:
    """Every node of the run, managers' and workers' names in order."""
    names = set(journal.engine_versions)
    for places in (journal.before, journal.after, journal.final):
        names |= {node for counts in places.values() for node in counts}
    return tuple(sorted(names))


def placement_rows(journal: Journal) -> tuple[PlacementRow, ...]:
    """Where each service ran: before the fault, at the verdict, after the revert."""

    def count(places: Placement, service: str, node: str) -> int:
        return places.get(service, {}).get(node, 0)

    return tuple(
        PlacementRow(
            service,
            journal.wanted.get(service, 0),
            tuple(
                Cell(
                    count(journal.before, service, node),
                    count(journal.after, service, node),
                    count(journal.final, service, node),
                )
                for node in node_names(journal)
            ),
        )
        for service in sorted(journal.before)
    )
