"""Services that a deploy keeps off managers, by a label that the role ``swarm`` sets. Pure.

Not by availability: a drained manager also loses global services and those that need a manager, and
an operator's own ``docker node update --availability`` would be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swarmctl.swarm.constraints import parse_all
from swarmctl.swarm.engine import Json
from swarmctl.swarm.node import Node
from swarmctl.swarm.parse import parse_swarm

LABEL, NONE = "swarmctl.replicas", "none"
WORKERS_ONLY = "node.role == worker"

# Who writes one of these has chosen the nodes.
_CHOOSES = ("node.role", "node.id", "node.hostname", "node.ip")


def kept_off_managers(expressions: Iterable[str], nodes: Iterable[Node]) -> bool:
    """Whether a replicated service gets the constraint ``WORKERS_ONLY``.

    Args:
        expressions: its own constraints.
        nodes: every node of the Swarm, whatever its state: a deploy must not depend on it.

    Returns:
        False where no manager has the label, where the service chooses its nodes itself, and where
        no worker meets its constraints.
    """
    known = tuple(nodes)
    if not any(node.manager and node.labels.get(LABEL) == NONE for node in known):
        return False
    required = parse_all(expressions)
    if any(constraint.key.lower() in _CHOOSES for constraint in required):
        return False
    return any(not n.manager and all(c.holds(n) for c in required) for n in known)


def spare_managers(services: Mapping[str, Json], nodes: Iterable[Json]) -> dict[str, Json]:
    """The services, with a constraint where managers take no replicas.

    Global services stay on every node.

    Args:
        services: specs by name, as the Engine API takes them.
        nodes: the Swarm's nodes, as the Engine API lists them.
    """
    known = parse_swarm({"nodes": list(nodes), "services": [], "tasks": []}).nodes
    return {
        name: _kept_off(spec)
        if _takes_replicas(spec) and kept_off_managers(_constraints(spec), known)
        else spec
        for name, spec in services.items()
    }


def _takes_replicas(spec: Json) -> bool:
    return not spec.get("Mode", {}).keys() & {"Global", "GlobalJob"}


def _constraints(spec: Json) -> list[str]:
    placement = spec.get("TaskTemplate", {}).get("Placement") or {}
    return placement.get("Constraints") or []


def _kept_off(spec: Json) -> Json:
    template = spec.get("TaskTemplate", {})
    placement = template.get("Placement") or {}
    constraints = [*_constraints(spec), WORKERS_ONLY]
    return {
        **spec,
        "TaskTemplate": {**template, "Placement": {**placement, "Constraints": constraints}},
    }
