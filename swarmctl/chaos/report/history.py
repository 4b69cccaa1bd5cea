"""Runs as rows of a table, and statistics over several runs of one fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report import words
from swarmctl.chaos.report.run_summary import RunSummary, summarize
from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown

# The first four columns are words, the others numbers.
COLUMNS = (
    "run",
    "fault",
    "targets",
    "outcome",
    "down",
    "running",
    "healthy",
    "probes lost",
    "longest outage",
    "predicted",
)
WORD_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over several runs."""

    median: float
    least: float
    most: float

    def text(self, unit: str = " s") -> str:
        """``12.1 s (11.8 to 13.4)``; without a unit, whole numbers."""
        digits = 1 if unit else 0
        low, high = f"{self.least:.{digits}f}", f"{self.most:.{digits}f}"
        middle = f"{self.median:.{digits}f}{unit}"
        return middle if low == high else f"{middle} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class FaultStatistics:
    """All runs of one fault.

    Args:
        runs: how many reached the fault.
        held: how many of them held.
        agreed: in how many a predicted outcome was seen.
        predicted: how many have a prediction that was compared.
        figures: ``detection_s``, ``recovery_s``, ``lost``, ``longest_outage_s``, each over the
            runs that have it.
    """

    fault: str
    runs: int
    held: int
    agreed: int
    predicted: int
    figures: dict[str, Spread]


def summaries(runs: Runs, warn: Callable[[str], None]) -> list[RunSummary]:
    """Every run whose journal can be read, oldest first; ``warn`` gets a line for each other."""
    found = []
    for name in runs.ids():
        try:
            found.append(summarize(runs.load(name)))
        except SwarmctlError as error:
            warn(f"left out: {error.message}")
    return found


def check_filters(
    runs: Sequence[RunSummary], faults: Collection[str], fault: str | None, outcome: str | None
) -> None:
    """Refuse a filter that can match no run.

    Raises:
        UsageError: there is no such fault or outcome.
    """
    names = {*faults, *(run.fault for run in runs)}
    if fault is not None and fault not in names:
        raise unknown("fault", fault, names)
    if outcome is not None and outcome not in words.OUTCOMES:
        raise unknown("outcome", outcome, words.OUTCOMES)


def choose(
    runs: Sequence[RunSummary],
    last: int | None = None,
    fault: str | None = None,
    outcome: str | None = None,
) -> tuple[RunSummary, ...]:
    """The runs, oldest first, of this fault and outcome; only the newest ``last`` of them."""
    found = [
        run
        for run in runs
        if (fault is None or run.fault == fault) and (outcome is None or run.outcome == outcome)
    ]
    return tuple(found[-last:] if last else found)


def statistics(runs: Sequence[RunSummary]) -> tuple[FaultStatistics, ...]:
    """One for each fault that several runs reached."""
    by_fault: dict[str, list[RunSummary]] = {}
    for run in runs:
        if run.phases["t_fault"] is not None:
            by_fault.setdefault(run.fault, []).append(run)
    return tuple(_of_fault(name, found) for name, found in by_fault.items() if len(found) > 1)


def _of_fault(fault: str, runs: Sequence[RunSummary]) -> FaultStatistics:
    probed = [run for run in runs if run.probes]
    figures = {
        "detection_s": _spread(run.phases["t_down"] for run in runs),
        "recovery_s": _spread(run.phases["t_healthy"] for run in runs),
        "lost": _spread(run.lost for run in probed),
        "longest_outage_s": _spread(run.longest_outage_s for run in probed),
    }
    return FaultStatistics(
        fault=fault,
        runs=len(runs),
        held=sum(run.outcome == "held" for run in runs),
        agreed=sum(run.agreed is True for run in runs),
        predicted=sum(run.agreed is not None for run in runs),
        figures={name: spread for name, spread in figures.items() if spread is not None},
    )


def _spread(values: Iterable[float | None]) -> Spread | None:
    found = [value for value in values if value is not None]
    return Spread(round(median(found), 3), min(found), max(found)) if found else None


def cells(run: RunSummary) -> tuple[str, ...]:
    """A run's text for each of :data:`COLUMNS`."""
    return (
        run.id,
        run.fault,
        ", ".join(run.targets) or words.NONE,
        words.outcome(run.outcome),
        words.seconds(run.phases["t_down"]),
        words.seconds(run.phases["t_running"]),
        words.seconds(run.phases["t_healthy"]),
        f"{run.lost} of {run.probes}" if run.probes else words.NONE,
        words.seconds(run.longest_outage_s),
        words.NONE if run.agreed is None else "yes" if run.agreed else "no",
    )


def statistics_cells(one: FaultStatistics) -> tuple[str, ...]:
    """A fault's text: runs, held, down, healthy, probes lost, longest outage, as predicted."""

    def text(figure: str, unit: str = " s") -> str:
        spread = one.figures.get(figure)
        return spread.text(unit) if spread else words.NONE

    return (
        one.fault,
        str(one.runs),
        str(one.held),
        text("detection_s"),
        text("recovery_s"),
        text("lost", unit=""),
        text("longest_outage_s"),
        f"{one.agreed} of {one.predicted}" if one.predicted else words.NONE,
    )
