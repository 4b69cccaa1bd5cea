"""Predictions in plain types: what ``--format json`` prints and a journal keeps.

docs/prediction.md describes the JSON, whose keys are the names of the fields here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from swarmctl.prediction.each import Risk
from swarmctl.prediction.prediction import Notice, Outcome, Prediction


@dataclass(frozen=True, slots=True)
class GoneRecord:
    """Replicas of one service that are not replaced."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """A prediction with its reasons in words."""

    lost: tuple[str, ...] = ()
    exhaustive: bool = False
    seed: int | None = None
    quorum: bool = True
    before: dict[str, dict[str, int]] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    gone: dict[str, GoneRecord] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()


def record(prediction: Prediction) -> PredictionRecord:
    """The record of a prediction."""
    loss = prediction.loss
    return PredictionRecord(
        lost=loss.nodes,
        exhaustive=prediction.exhaustive,
        seed=prediction.seed,
        quorum=loss.quorum,
        before={service: dict(per_node) for service, per_node in prediction.before.items()},
        moved=dict(loss.moved),
        gone={name: GoneRecord(gone.count, str(gone)) for name, gone in loss.gone.items()},
        ended=dict(loss.ended),
        outcomes=prediction.outcomes,
        reasons=prediction.reasons,
        warnings=prediction.warnings,
    )


def each_as_json(risks: Iterable[Risk]) -> dict[str, Any]:
    """``--each`` as JSON: one entry a node, worst first."""
    return {"nodes": [asdict(r) | {"affordable": r.affordable, "grade": r.grade} for r in risks]}
