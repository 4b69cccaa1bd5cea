"""Placement constraints as SwarmKit evaluates them (swarmkit manager/constraint/constraint.go).

Only ``==`` and ``!=``. Values are compared literally and without regard to case; names of labels
with regard to it. A missing label is ``""``, so ``!=`` passes; an unknown key never passes.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmctl.swarm.model import Node

_NODE_LABEL, _ENGINE_LABEL = "node.labels.", "engine.labels."


def allows(node: Node, constraint: str) -> bool:
    """Whether a node satisfies one constraint, e.g. ``node.labels.az!=a``.

    Args:
        node: the node.
        constraint: as in the service's spec; several are all to be satisfied.
    """
    key, operator, wanted = _split(constraint)
    if not operator:
        return False
    if key.lower() == "node.ip":
        return _in_network(node.address, wanted) == (operator == "==")
    value = _value(node, key)
    if value is None:
        return False
    return (value.lower() == wanted.lower()) == (operator == "==")


def _split(constraint: str) -> tuple[str, str, str]:
    for operator in ("==", "!="):
        key, found, wanted = constraint.partition(operator)
        if found:
            return key.strip(), operator, wanted.strip()
    return "", "", ""


def _value(node: Node, key: str) -> str | None:
    """What the node has under a key; ``None`` for a key that does not exist."""
    lower = key.lower()
    if lower.startswith(_NODE_LABEL):
        return node.labels.get(key[len(_NODE_LABEL) :], "")
    if lower.startswith(_ENGINE_LABEL):
        return node.engine_labels.get(key[len(_ENGINE_LABEL) :], "")
    return {
        "node.id": node.id,
        "node.hostname": node.hostname,
        "node.role": node.role,
        "node.platform.os": node.platform_os,
        "node.platform.arch": node.platform_arch,
    }.get(lower)


def _in_network(address: str, wanted: str) -> bool:
    try:
        network = ipaddress.ip_network(wanted, strict=False)
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False
