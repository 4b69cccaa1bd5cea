"""Placement constraints, as SwarmKit parses and matches them (manager/constraint/constraint.go)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmctl.scheduler.snapshot import Node

NODE_LABEL = "node.labels."
ENGINE_LABEL = "engine.labels."

_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+", re.IGNORECASE)
_VALUE = re.compile(r"[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Constraint:
    """``key == value`` or ``key != value``."""

    key: str
    equal: bool
    value: str

    def holds(self, node: Node) -> bool:
        """Whether the node satisfies it; an unknown key never does (``NodeMatches``)."""
        key = self.key.lower()
        if key == "node.ip":
            return self._holds_for_address(node.address)
        found = _value_of(node, self.key)
        return found is not None and (found.casefold() == self.value.casefold()) == self.equal

    def _holds_for_address(self, address: str) -> bool:
        try:
            network = ipaddress.ip_network(self.value, strict=False)
        except ValueError:  # malformed: rejected, with != too
            return False
        try:
            within = ipaddress.ip_address(address) in network
        except ValueError:  # an unknown address is in no network
            within = False
        return within == self.equal


def parse_constraints(expressions: Iterable[str]) -> tuple[Constraint, ...]:
    """The constraints of a service.

    Returns:
        All of them, or none at all when one is malformed: SwarmKit then disables the filter.
    """
    parsed = tuple(_parse(expression) for expression in expressions)
    return tuple(c for c in parsed if c) if all(parsed) else ()


def _parse(expression: str) -> Constraint | None:
    for operator in ("==", "!="):
        left, found, right = expression.partition(operator)
        key, value = left.strip(), right.strip()
        if not found:
            continue
        if _KEY.fullmatch(key) and _VALUE.fullmatch(value):
            return Constraint(key, operator == "==", value)
        return None
    return None


def _value_of(node: Node, key: str) -> str | None:
    """The node's value for a key; a missing label is ``""``, an unknown key ``None``."""
    lower = key.lower()
    for prefix, labels in ((NODE_LABEL, node.labels), (ENGINE_LABEL, node.engine_labels)):
        if lower.startswith(prefix) and len(key) > len(prefix):
            return labels.get(key[len(prefix) :], "")  # names of labels are case-sensitive
    return {
        "node.id": node.id,
        "node.hostname": node.hostname,
        "node.role": node.role,
        "node.platform.os": node.os,
        "node.platform.arch": node.arch,
    }.get(lower)


def spread_value(node: Node, descriptor: str) -> str | None:
    """The branch of a placement preference that a node is in (manager/scheduler/nodeset.go).

    Args:
        node: any node.
        descriptor: of the preference, ``node.labels.az`` or ``engine.labels.rack``.

    Returns:
        The label's value, ``""`` when the node lacks it; ``None`` for a descriptor that SwarmKit
        ignores because it is not a label.
    """
    lower = descriptor.lower()
    for prefix, labels in ((NODE_LABEL, node.labels), (ENGINE_LABEL, node.engine_labels)):
        if lower.startswith(prefix) and len(descriptor) > len(prefix):
            return labels.get(descriptor[len(prefix) :], "")
    return None
