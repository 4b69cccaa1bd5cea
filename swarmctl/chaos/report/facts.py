"""What people ask first about a run, as plain data: for tables, lists and other programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from swarmctl.chaos.journal.journal import Journal, Placement
from swarmctl.chaos.journal.phases import phases

BADGES = {
    "held": "HELD",
    "refuted": "REFUTED",
    "refused": "REFUSED",
    "interrupted": "INTERRUPTED",
    "error": "ENDED BY AN ERROR",
    "revert-failed": "REVERT FAILED",
}
NOT_ENDED = "NOT ENDED"


@dataclass(frozen=True, slots=True)
class Facts:
    """One run in a row.

    Args:
        id: of the run.
        started_at: ISO 8601.
        fault: its name.
        title: of the experiment's file.
        targets: their names.
        outcome: as the journal has it; ``""`` for a run that has not ended.
        phases: see :mod:`swarmctl.chaos.journal.phases`.
        probes: how many were sent.
        lost: how many of them were lost.
        longest_outage_s: of any probed service; ``None`` when nothing was probed.
        agreed: whether what was seen was predicted; ``None`` when nothing was.
        overridden: the guards that refused and were overridden.
        duplicates: replicas that ran twice, by service.
    """

    id: str
    started_at: str
    fault: str
    title: str
    targets: tuple[str, ...]
    outcome: str
    phases: dict[str, float | None]
    probes: int
    lost: int
    longest_outage_s: float | None
    agreed: bool | None
    overridden: tuple[str, ...]
    duplicates: dict[str, int]

    @property
    def detection_s(self) -> float | None:
        """Seconds until the managers called the targets Down."""
        return self.phases["t_down"]

    @property
    def recovery_s(self) -> float | None:
        """Seconds until every replica served again."""
        return self.phases["t_healthy"]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def facts(journal: Journal) -> Facts:
    """Gather them from a journal."""
    return Facts(
        id=journal.id,
        started_at=journal.started_at,
        fault=journal.experiment,
        title=journal.title,
        targets=tuple(target.what for target in journal.targets),
        outcome=journal.outcome,
        phases=phases(journal),
        probes=sum(probe.sent for probe in journal.probes),
        lost=sum(probe.lost for probe in journal.probes),
        longest_outage_s=max((p.longest_outage_s for p in journal.probes), default=None),
        agreed=journal.agreement["agrees"] if journal.agreement else None,
        overridden=overridden(journal),
        duplicates={name: count for name, count in journal.duplicates.items() if count},
    )


def overridden(journal: Journal) -> tuple[str, ...]:
    """The guards that refused, and were told not to matter."""
    return tuple(guard.name for guard in journal.guards if guard.overridden)


def badge(journal: Journal) -> str:
    """How it ended, in capitals."""
    return BADGES.get(journal.outcome, NOT_ENDED)


def sentence(journal: Journal) -> str:
    """The run in one sentence: the verdict and the probes, or why there is no verdict."""
    if journal.verdict is None:
        refused = ", ".join(g.name for g in journal.guards if not g.ok and not g.overridden)
        by = f" by guard {refused}" if refused and journal.outcome == "refused" else ""
        return f"{badge(journal)}{by}: no verdict; {_undone(journal)}"
    if journal.outcome not in ("held", "refuted"):
        return f"{badge(journal)} after the verdict; {_undone(journal)}. {journal.verdict.sentence}"
    sent, lost = sum(p.sent for p in journal.probes), sum(p.lost for p in journal.probes)
    if not sent:
        return journal.verdict.sentence
    outage = max(p.longest_outage_s for p in journal.probes)
    longest = f", longest outage {outage:.1f} s" if lost else ""
    return f"{journal.verdict.sentence}; {lost} of {sent} probes lost{longest}"


def words(journal: Journal) -> str:
    """:func:`sentence` without the word that the badge says already."""
    return sentence(journal).removeprefix(f"{badge(journal)}: ")


def twice(journal: Journal) -> str:
    """Which replicas ran twice, in one sentence; ``""`` when none did."""
    found = {name: count for name, count in sorted(journal.duplicates.items()) if count}
    if not found:
        return ""
    listing = ", ".join(f"{count} of {name}" for name, count in found.items())
    return f"Ran twice, on the target and elsewhere: {listing}"


def _undone(journal: Journal) -> str:
    if journal.undo.pending:
        return f"not everything is put back: swarmctl chaos revert {journal.id}"
    return "what was taken is put back" if journal.undo.steps else "nothing was touched"


@dataclass(frozen=True, slots=True)
class Cell:
    """Replicas of one service on one node: before the fault, at the verdict, at the end."""

    before: int
    after: int
    final: int


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


def node_names(journal: Journal) -> tuple[str, ...]:
    """Every node of the run, in order."""
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
