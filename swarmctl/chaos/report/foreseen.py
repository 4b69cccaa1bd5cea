"""The prediction beside what was seen: for every service and node the range that was predicted.

Pure functions over a journal's ``prediction``, ``agreement`` and ``after``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swarmctl.chaos.journal.journal import Journal

# One outcome of a prediction: its ``counts`` (service → node → replicas) and ``pending``.
Outcome = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One service on one node (or pending, or in all).

    Args:
        low: the fewest replicas any predicted outcome has there.
        high: the most.
        seen: how many there were at the verdict; ``None`` when there was no verdict.
    """

    low: int
    high: int
    seen: int | None

    @property
    def differs(self) -> bool:
        """Whether no predicted outcome has what was seen."""
        return self.seen is not None and not self.low <= self.seen <= self.high

    @property
    def range(self) -> str:
        """What was predicted, for people."""
        return span(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Row:
    """One service: a cell a node, and what could not be placed.

    Args:
        service: its name.
        cells: in the order of :func:`nodes`.
        pending: predicted only; Swarm's own count is in the verdict.
        together: every number is possible, but no outcome has all of them at once.
    """

    service: str
    cells: tuple[Foreseen, ...]
    pending: str
    together: bool


def nodes(journal: Journal) -> tuple[str, ...]:
    """The nodes that are in the prediction or were seen, in order."""
    names = {node for counts in journal.after.values() for node in counts}
    for outcome in _outcomes(journal):
        names |= {node for counts in outcome["counts"].values() for node in counts}
    names |= {node for counts in journal.before.values() for node in counts}
    return tuple(sorted(names))


def rows(journal: Journal) -> tuple[Row, ...]:
    """A row a service; none when nothing was predicted."""
    outcomes = _outcomes(journal)
    if not outcomes:
        return ()
    differences = (journal.agreement or {}).get("differences", {})
    services = sorted({*(journal.prediction or {}).get("before", {}), *journal.after})
    return tuple(
        Row(
            service=name,
            cells=tuple(_cell(journal, outcomes, name, node) for node in nodes(journal)),
            pending=_among(outcome["pending"].get(name, 0) for outcome in outcomes),
            together=name in differences and not differences[name],
        )
        for name in services
    )


def headline(journal: Journal) -> str:
    """``as predicted (1 of 24 outcomes, exhaustive)``, or not; ``""`` without a prediction."""
    outcomes = _outcomes(journal)
    if not outcomes or journal.prediction is None:
        return ""
    count, whole = len(outcomes), journal.prediction["exhaustive"]
    listed = f"{count} outcome" if count == 1 else f"{count} outcomes"
    how = "exhaustive" if whole else "others are possible"
    if journal.agreement is None:
        return f"predicted: {listed}, {how}; nothing to compare with"
    if journal.agreement["agrees"]:
        return f"as predicted (1 of {listed}, {how})"
    if whole:
        return f"not as predicted (none of {listed}, {how})"
    return f"not among the {listed} that were predicted; {how}"


def surprising(journal: Journal) -> bool:
    """Whether what was seen had been ruled out."""
    found = journal.agreement
    return bool(found and not found["agrees"] and found["exhaustive"])


def span(low: int, high: int) -> str:
    """A range as people write it."""
    return str(low) if low == high else f"{low}-{high}"


def _among(values: Iterable[int]) -> str:
    found = sorted(values) or [0]
    return span(found[0], found[-1])


def _outcomes(journal: Journal) -> Sequence[Outcome]:
    found: Sequence[Outcome] = (journal.prediction or {}).get("outcomes", ())
    return found


def _cell(
    journal: Journal,
    outcomes: Sequence[Outcome],
    service: str,
    node: str,
) -> Foreseen:
    predicted = [outcome["counts"].get(service, {}).get(node, 0) for outcome in outcomes]
    seen = journal.after.get(service, {}).get(node, 0) if journal.after else None
    return Foreseen(min(predicted), max(predicted), seen)
