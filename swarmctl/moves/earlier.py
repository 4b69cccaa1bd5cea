"""The availability that a node had before a move of several steps, kept in a label of the node.

The label is written before the node is drained, and its first value stays: whoever goes on after a
``kill -9`` gives the node back what it had, and a node that an operator had drained stays drained.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.discovery.leaving import DRAINING_LABEL
from swarmctl.moves.context import Context
from swarmctl.swarm.engine import Json, change_node
from swarmctl.swarm.node import Node

EARLIER_LABEL = "swarmctl.availability-before"
_KNOWN = ("active", "pause", "drain")


def earlier(node: Node) -> str:
    """What it had before, or ``""`` if no such move is under way."""
    found = node.labels.get(EARLIER_LABEL, "")
    return found if found in _KNOWN else ""


def remember(nodes: Iterable[Node], context: Context) -> None:
    """Write down what each node has now, unless that was done before."""

    def change(spec: Json) -> Json:
        labels = spec.get("Labels") or {}
        if labels.get(EARLIER_LABEL) in _KNOWN:
            return spec
        return {**spec, "Labels": {**labels, EARLIER_LABEL: spec["Availability"]}}

    for node in nodes:
        change_node(context.engine, node.id, change)


def stays_drained(node: Node) -> bool:
    """Whether an operator had drained it before: there is nothing to move, or to give back."""
    return node.availability == "drain" and earlier(node) in ("", "drain")


def forgotten(spec: Json, *, given_back: bool) -> Json:
    """A node's spec without the labels of a drain, and with the availability it had before.

    Args:
        spec: of the node.
        given_back: ``False``: active, whatever it had before.
    """
    labels = dict(spec.get("Labels") or {})
    before = labels.pop(EARLIER_LABEL, "")
    wanted = "active"
    if given_back:
        wanted = before if before in _KNOWN else spec["Availability"]
    # One that an operator had drained without losing a request has kept that label.
    if wanted != "drain":
        labels.pop(DRAINING_LABEL, None)
    changed = {**spec, "Labels": labels, "Availability": wanted}
    same = labels == (spec.get("Labels") or {}) and wanted == spec["Availability"]
    return spec if same else changed
