"""Predictions from raw snapshots, and the placements in them."""

from __future__ import annotations

from swarmctl.prediction import Bounds, Prediction, Predictor
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw

Seen = dict[str, int]


def lose(raw: Raw, *names: str, bounds: Bounds | None = None) -> Prediction:
    return Predictor(parse_swarm(raw)).predict([f"id-{name}" for name in names], bounds)


def counts(prediction: Prediction, of: str = "web") -> list[Seen]:
    return [dict(outcome.counts[of]) for outcome in prediction.outcomes]


def only(prediction: Prediction, of: str = "web") -> Seen:
    """The one outcome there is."""
    assert prediction.exhaustive
    (seen,) = counts(prediction, of)
    return seen
