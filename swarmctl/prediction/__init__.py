"""Where replicas end up when nodes are lost: from a snapshot of a Swarm, without touching it."""

from swarmctl.prediction.predict import Bounds, Outcome, Prediction, Predictor

__all__ = ["Bounds", "Outcome", "Prediction", "Predictor"]
