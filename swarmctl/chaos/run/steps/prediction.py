"""Prediction: where every lost replica will go, by SwarmKit's own rules."""

from __future__ import annotations

from swarmctl.chaos.run.context import Context
from swarmctl.prediction.record import record


def predict(context: Context) -> None:
    """Store what Swarm will do; nothing where no replica has to find another node."""
    if context.loses_nodes:
        lost = [node.id for node in context.targets.nodes]
        context.prediction = context.world.managers.predict(lost)
        if context.prediction is not None:
            context.journal.prediction = record(context.prediction)
