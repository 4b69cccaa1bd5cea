"""A prediction with its warnings, for commands and experiments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from swarmctl.prediction.advice import warnings
from swarmctl.prediction.prediction import Prediction
from swarmctl.prediction.predictor import Bounds, Predictor
from swarmctl.swarm.model import Swarm


def predict(swarm: Swarm, lost: Iterable[str], bounds: Bounds | None = None) -> Prediction:
    """What happens when nodes are lost, with warnings.

    Args:
        swarm: the Swarm before.
        lost: ids of nodes.
        bounds: of the search.
    """
    predictor = Predictor(swarm)
    prediction = predictor.predict(lost, bounds)
    return replace(prediction, warnings=warnings(predictor, prediction))
