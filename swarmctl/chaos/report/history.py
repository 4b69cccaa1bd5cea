"""Runs as rows, and what several runs of one fault have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from swarmctl.chaos.report.facts import BADGES, Facts

# What is said of a run in a row; the first four are words, the others numbers.
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
NOTHING = "-"
_FIGURES = ("detection_s", "recovery_s", "lost", "longest_outage_s")


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over several runs."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Summary:
    """All runs of one fault.

    Args:
        fault: its name.
        runs: how many came to their fault.
        held: how many of them held.
        agreed: of how many the outcome was predicted.
        predicted: of how many there is a prediction to compare with.
        figures: ``detection_s``, ``recovery_s``, ``lost``, ``longest_outage_s``, each over the
            runs that have it.
    """

    fault: str
    runs: int
    held: int
    agreed: int
    predicted: int
    figures: dict[str, Spread]


def choose(
    runs: Sequence[Facts],
    last: int | None = None,
    fault: str | None = None,
    outcome: str | None = None,
) -> tuple[Facts, ...]:
    """The runs that are meant.

    Args:
        runs: the oldest first.
        last: so many of those that match, the newest.
        fault: of this fault only.
        outcome: that ended so only.
    """
    found = [
        run
        for run in runs
        if (fault is None or run.fault == fault) and (outcome is None or run.outcome == outcome)
    ]
    return tuple(found[-last:] if last else found)


def summaries(runs: Sequence[Facts]) -> tuple[Summary, ...]:
    """One for each fault of which several runs came to their fault."""
    by_fault: dict[str, list[Facts]] = {}
    for run in runs:
        if run.phases["t_fault"] is not None:
            by_fault.setdefault(run.fault, []).append(run)
    return tuple(_summary(name, found) for name, found in by_fault.items() if len(found) > 1)


def _summary(fault: str, runs: Sequence[Facts]) -> Summary:
    figures = {name: _spread(runs, name) for name in _FIGURES}
    return Summary(
        fault=fault,
        runs=len(runs),
        held=sum(run.outcome == "held" for run in runs),
        agreed=sum(run.agreed is True for run in runs),
        predicted=sum(run.agreed is not None for run in runs),
        figures={name: spread for name, spread in figures.items() if spread is not None},
    )


def _spread(runs: Sequence[Facts], name: str) -> Spread | None:
    probed = [run for run in runs if run.probes or name not in ("lost", "longest_outage_s")]
    found = [value for run in probed if (value := getattr(run, name)) is not None]
    return Spread(round(median(found), 3), min(found), max(found)) if found else None


def cells(run: Facts) -> tuple[str, ...]:
    """A run's words for :data:`COLUMNS`."""
    outage = run.longest_outage_s
    return (
        run.id,
        run.fault,
        ", ".join(run.targets) or NOTHING,
        word(run.outcome),
        seconds(run.detection_s),
        seconds(run.phases["t_running"]),
        seconds(run.recovery_s),
        f"{run.lost} of {run.probes}" if run.probes else NOTHING,
        seconds(outage) if run.probes else NOTHING,
        NOTHING if run.agreed is None else "yes" if run.agreed else "no",
    )


def word(outcome: str) -> str:
    """An outcome for people."""
    return outcome if outcome in BADGES else "not ended"


def seconds(value: float | None) -> str:
    """A duration for people."""
    return NOTHING if value is None else f"{value:.1f} s"


def spread_text(spread: Spread | None, unit: str = " s") -> str:
    """``12.1 s (11.8 to 13.4)``, or nothing."""
    if spread is None:
        return NOTHING
    digits = 1 if unit else 0
    low, high = f"{spread.least:.{digits}f}", f"{spread.most:.{digits}f}"
    middle = f"{spread.median:.{digits}f}{unit}"
    return middle if low == high else f"{middle} ({low} to {high})"
