"""Which nodes lack the image of a service that they may have to run: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from swarmctl.prediction.pulls import would_pull
from swarmctl.scheduler.filters import suits
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.node import Node


@dataclass(frozen=True, slots=True)
class Pull:
    """An image that a node does not have, as far as is known.

    Attributes:
        node: the hostname.
        image: as the services name it, with its digest if they do.
        services: their names.
    """

    node: str
    image: str
    services: tuple[str, ...]


def pulls(swarm: Swarm, services: Iterable[Service], *, unknown: bool = True) -> tuple[Pull, ...]:
    """Every image that is not on a node which may run the service.

    A node may run it if it takes tasks now, and has the platform, the plugins and the labels that
    the service wants; whether there is room is ignored, because that changes with every task.

    Args:
        swarm: with the images of the nodes, see :func:`swarmctl.swarm.observe.images.with_images`.
        services: of the Swarm, or about to be deployed.
        unknown: whether nodes that were not asked count as nodes without the image.
    """
    wanted: dict[tuple[str, str], list[str]] = {}
    for service in services:
        for node in swarm.nodes:
            there = node.has_image(service.image)
            if suits(node, service) and not (there or (there is None and not unknown)):
                wanted.setdefault((node.hostname, service.image), []).append(service.name)
    return tuple(Pull(*key, tuple(names)) for key, names in sorted(wanted.items()))


def sentences(found: Iterable[Pull]) -> list[str]:
    """A line for each service and image."""
    nodes: dict[tuple[str, str], list[str]] = {}
    for pull in found:
        for service in pull.services:
            nodes.setdefault((service, pull.image), []).append(pull.node)
    return [would_pull(*key, where) for key, where in sorted(nodes.items())]


def out_of_reach(swarm: Swarm, services: Iterable[Service]) -> tuple[Node, ...]:
    """The nodes that would run one of the services if they were not down."""
    listed = tuple(services)
    return tuple(
        node
        for node in swarm.nodes
        if not node.live
        and node.availability == "active"
        and any(suits(replace(node, state="ready"), service) for service in listed)
    )
