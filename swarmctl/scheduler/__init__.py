"""SwarmKit's scheduling as pure functions: no I/O, no clock, nothing imported but the model.

``parse_snapshot`` reads the Engine API's JSON; ``Predictor`` tells where tasks end up when nodes
die. Each module names the files of https://github.com/moby/swarmkit it models.
"""

from swarmctl.prediction.predict import Bounds, Outcome, Prediction, Predictor
from swarmctl.scheduler.snapshot import Snapshot, SnapshotError, parse_snapshot

__all__ = [
    "Bounds",
    "Outcome",
    "Prediction",
    "Predictor",
    "Snapshot",
    "SnapshotError",
    "parse_snapshot",
]
