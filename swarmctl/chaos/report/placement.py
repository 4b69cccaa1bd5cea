"""Where each service ran: before the fault, at the verdict, after the revert."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class ReplicaCounts:
    """Replicas of one service on one node: before the fault, at the verdict, at the end."""

    before: int
    after: int
    final: int


@dataclass(frozen=True, slots=True)
class ServicePlacement:
    """One service: a count for each node of :func:`nodes`."""

    service: str
    nodes: tuple[ReplicaCounts, ...]

    @property
    def total(self) -> ReplicaCounts:
        """The sums over all nodes."""
        return ReplicaCounts(
            sum(node.before for node in self.nodes),
            sum(node.after for node in self.nodes),
            sum(node.final for node in self.nodes),
        )


def nodes(journal: Journal) -> tuple[str, ...]:
    """Every node of the run, in order."""
    places = (journal.before, journal.after, journal.final)
    seen = {node for place in places for counts in place.values() for node in counts}
    return tuple(sorted({*journal.engine_versions, *seen}))


def placements(journal: Journal) -> tuple[ServicePlacement, ...]:
    """One for each service that ran before the fault."""
    places = (journal.before, journal.after, journal.final)
    return tuple(
        ServicePlacement(
            service,
            tuple(
                ReplicaCounts(*(place.get(service, {}).get(node, 0) for place in places))
                for node in nodes(journal)
            ),
        )
        for service in sorted(journal.before)
    )
