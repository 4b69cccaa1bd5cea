"""Where replicas end up when nodes are lost, computed from a snapshot of a Swarm."""

from swarmctl.prediction.prediction import Outcome, Prediction
from swarmctl.prediction.predictor import Bounds, Predictor

__all__ = ["Bounds", "Outcome", "Prediction", "Predictor"]
