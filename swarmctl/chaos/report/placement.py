"""Where each service ran, and the predicted range beside it: pure functions over a journal."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class ReplicaCounts:
    """Replicas of one service on one node: before the fault, at the verdict, after the revert."""

    before: int
    after: int
    final: int


@dataclass(frozen=True, slots=True)
class ServicePlacement:
    """One service: a count for each node of :func:`nodes`, and their sums."""

    service: str
    nodes: tuple[ReplicaCounts, ...]
    total: ReplicaCounts


@dataclass(frozen=True, slots=True)
class PredictedRange:
    """How many replicas of a service were predicted on a node, and how many were seen.

    Args:
        low: the fewest in any predicted outcome.
        high: the most.
        seen: at the verdict; ``None`` when there was no verdict.
    """

    low: int
    high: int
    seen: int | None = None

    @property
    def differs(self) -> bool:
        """Whether no predicted outcome has the number that was seen."""
        return self.seen is not None and not self.low <= self.seen <= self.high

    def __str__(self) -> str:
        """``4``, or ``4-6``."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True)
class ServiceComparison:
    """One service, predicted and seen.

    Args:
        service: its name.
        nodes: a range for each node of :func:`compared_nodes`.
        pending: tasks without a node; only predicted, Swarm's own count is in the verdict.
        only_apart: every number was predicted, but no outcome has all of them at once.
    """

    service: str
    nodes: tuple[PredictedRange, ...]
    pending: PredictedRange
    only_apart: bool


def nodes(journal: Journal) -> tuple[str, ...]:
    """Every node of the run, in order."""
    places = (journal.before, journal.after, journal.final)
    seen = {node for place in places for counts in place.values() for node in counts}
    return tuple(sorted({*journal.engine_versions, *seen}))


def placements(journal: Journal) -> tuple[ServicePlacement, ...]:
    """One for each service that ran before the fault."""
    places = (journal.before, journal.after, journal.final)
    found = []
    for service in sorted(journal.before):
        counts = [[place.get(service, {}).get(n, 0) for place in places] for n in nodes(journal)]
        total = ReplicaCounts(*map(sum, zip(*counts, strict=True)))
        found.append(ServicePlacement(service, tuple(ReplicaCounts(*c) for c in counts), total))
    return tuple(found)


def compared_nodes(journal: Journal) -> tuple[str, ...]:
    """The nodes that were predicted to run replicas or were seen to, in order."""
    prediction = journal.prediction
    counts = [outcome.counts for outcome in prediction.outcomes] if prediction else []
    places = (journal.before, journal.after, *counts)
    return tuple(sorted({node for place in places for nodes in place.values() for node in nodes}))


def comparisons(journal: Journal) -> tuple[ServiceComparison, ...]:
    """One for each service; none when nothing was predicted."""
    prediction = journal.prediction
    if prediction is None or not prediction.outcomes:
        return ()
    outcomes = prediction.outcomes
    differences = journal.agreement.differences if journal.agreement else {}

    def on_node(service: str, node: str) -> PredictedRange:
        predicted = [outcome.counts.get(service, {}).get(node, 0) for outcome in outcomes]
        seen = journal.after.get(service, {}).get(node, 0) if journal.after else None
        return PredictedRange(min(predicted), max(predicted), seen)

    def pending(service: str) -> PredictedRange:
        predicted = [outcome.pending.get(service, 0) for outcome in outcomes]
        return PredictedRange(min(predicted), max(predicted))

    return tuple(
        ServiceComparison(
            service=name,
            nodes=tuple(on_node(name, node) for node in compared_nodes(journal)),
            pending=pending(name),
            only_apart=name in differences and not differences[name],
        )
        for name in sorted({*prediction.before, *journal.after})
    )


def agrees(journal: Journal) -> bool | None:
    """Whether a predicted outcome was seen; ``None`` when there is nothing to compare."""
    return journal.agreement.agrees if journal.agreement else None
