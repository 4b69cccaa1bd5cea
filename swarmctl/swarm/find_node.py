"""The node that a user names: the same rule for every command."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.node import Node


def find_node(nodes: Sequence[Node], name: str) -> Node:
    """A node by its full name, its id, or its short name.

    The short name is what follows the cluster's name: ``wkr2`` for ``swarm_app_wkr2``. Among
    namesakes the one that is up is meant: a machine that joined anew leaves its old entry behind.

    Args:
        nodes: all nodes of the Swarm.
        name: what the user typed.

    Raises:
        UsageError: no node has this name, or several that are up.
    """
    found = (
        [node for node in nodes if name in (node.name, node.id)]
        or [node for node in nodes if node.hostname == name]
        or [node for node in nodes if name and node.hostname.endswith(f"_{name}")]
    )
    if not found:
        raise unknown("node", name, (node.name or node.hostname for node in nodes))
    up = [node for node in found if node.state != "down"]
    if len(up) > 1:
        listing = ", ".join(f"{node.hostname} ({node.id})" for node in up)
        raise UsageError(f"several nodes have the name {name!r}", f"use an id: {listing}")
    return (up or found)[0]
