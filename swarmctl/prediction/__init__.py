"""Where replicas end up when nodes are lost: from a snapshot of a Swarm, without touching it."""

from swarmctl.prediction.prediction import Outcome, Prediction
from swarmctl.prediction.predictor import Bounds, Predictor

__all__ = ["Bounds", "Outcome", "Prediction", "Predictor"]
