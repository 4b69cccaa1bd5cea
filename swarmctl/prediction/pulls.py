"""Which images replacements would have to pull, and on which nodes: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from swarmctl.prediction.prediction import Notice, Prediction
from swarmctl.swarm.model import Swarm


def pull_notices(swarm: Swarm, prediction: Prediction) -> Iterator[Notice]:
    """A warning for each service that may get a replica on a node without its image.

    Nodes that were not asked for their images are left out.
    """
    for service in swarm.services:
        if service.name not in prediction.loss.moved:
            continue
        before = prediction.before.get(service.name, {})
        gaining = {
            node
            for outcome in prediction.outcomes
            for node, count in outcome.counts.get(service.name, {}).items()
            if count > before.get(node, 0)
        }
        without = [
            node.name
            for node in swarm.nodes
            if node.name in gaining and node.has_image(service.image) is False
        ]
        if without:
            yield Notice("pull", would_pull(service.name, service.image, without), service.name)


def would_pull(service: str, image: str, nodes: Iterable[str]) -> str:
    """The sentence about an image that is not where it may be needed."""
    return (
        f"{service}: would have to pull {image.partition('@')[0]} on {', '.join(nodes)}; "
        "beforehand: swarmctl image prefetch"
    )
