"""Placement constraints as SwarmKit reads and matches them (manager/constraint/constraint.go).

Only ``==`` and ``!=``. Values are compared literally and ignoring case; names of labels are
case-sensitive. A missing label is ``""``, so ``!=`` holds; an unknown key never holds.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from swarmctl.swarm.node import Node

LABELS = NODE_LABEL, ENGINE_LABEL = ("node.labels.", "engine.labels.")
_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+", re.ASCII | re.IGNORECASE)
_VALUE = re.compile(r"[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Constraint:
    """``key == value`` or ``key != value``.

    Attributes:
        problem: why the Engine refuses it (``validatePlacement``, manager/controlapi/service.go);
            ``""`` when it is accepted.
    """

    key: str = ""
    equal: bool = True
    value: str = ""
    problem: str = ""

    def holds(self, node: Node) -> bool:
        """Whether the node satisfies it (``NodeMatches``); a malformed one never holds."""
        if self.problem:
            return False
        if self.key.lower() == "node.ip":
            return self._holds_for_address(node.status_address)
        found = label(node, self.key)
        if found is None and (built_in := _BUILT_IN.get(self.key.lower())):
            found = built_in(node)
        return found is not None and (found.lower() == self.value.lower()) == self.equal

    def _holds_for_address(self, address: str) -> bool:
        try:
            network = ipaddress.ip_network(self.value, strict=False)
        except ValueError:  # not an address: SwarmKit rejects the node, for != as well
            return False
        try:
            within = ipaddress.ip_address(address) in network
        except ValueError:  # an unknown address is in no network
            within = False
        return within == self.equal

    @property
    def names_label(self) -> bool:
        """Whether it is about a label of nodes or Engines."""
        return self.key.lower().startswith(LABELS)


_BUILT_IN: Mapping[str, Callable[[Node], str]] = {
    "node.id": lambda node: node.id,
    "node.hostname": lambda node: node.hostname,
    "node.role": lambda node: node.role,
    "node.platform.os": lambda node: node.platform_os,
    "node.platform.arch": lambda node: node.platform_arch,
}
KEYS = (*_BUILT_IN, "node.ip")


def parse(expression: str) -> Constraint:
    """Take one constraint apart, e.g. ``node.labels.az!=a``; never fails (see ``problem``)."""
    for operator in ("==", "!="):
        left, found, right = expression.partition(operator)
        if not found:
            continue
        key, value, problem = left.strip(), right.strip(), ""
        if not _KEY.fullmatch(key):
            problem = f"the key {key!r} is invalid"
        elif not _VALUE.fullmatch(value):
            problem = f"the value {value!r} is invalid"
        return Constraint(key, operator == "==", value, problem)
    return Constraint(problem="it has neither == nor !=")


def parse_all(expressions: Iterable[str]) -> tuple[Constraint, ...]:
    """The constraints of a service.

    Returns:
        All of them; none when one is malformed, because SwarmKit then disables the whole filter.
    """
    parsed = tuple(map(parse, expressions))
    return () if any(constraint.problem for constraint in parsed) else parsed


def label(node: Node, name: str) -> str | None:
    """The value of a node's label.

    Args:
        node: any node.
        name: as in constraints and placement preferences: ``node.labels.az``,
            ``engine.labels.rack`` (manager/scheduler/nodeset.go for preferences).

    Returns:
        ``""`` when the node lacks the label; ``None`` when the name is not that of a label.
    """
    lower = name.lower()
    for prefix, labels in ((NODE_LABEL, node.labels), (ENGINE_LABEL, node.engine_labels)):
        if lower.startswith(prefix) and len(name) > len(prefix):
            return labels.get(name[len(prefix) :], "")
    return None
