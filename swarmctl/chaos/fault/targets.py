"""The nodes and tasks that a selection means in one Swarm; the same seed draws the same ones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from swarmctl.chaos.fault.selection import Selection
from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Node, Service, Swarm, Task

ROLES = ("worker", "manager")
# The node label that the role swarm gives every node.
ZONE_LABEL = "az"


def choose(swarm: Swarm, selection: Selection) -> tuple[Node, ...]:
    """The selected nodes, sorted by name.

    Raises:
        UsageError: an unknown node, role, zone or service, or more asked for than there are.
    """
    if selection.names:
        return _named(swarm, selection.names)
    pool = candidates(swarm, selection)
    return tuple(sorted(_draw(pool, selection, "nodes"), key=lambda node: node.hostname))


def choose_tasks(swarm: Swarm, selection: Selection) -> tuple[Task, ...]:
    """The selected tasks: running tasks of the selection's service on the selected nodes.

    Raises:
        UsageError: no service was named, it is unknown, or it has no such task.
    """
    service = _service(swarm, selection.service)
    if selection.names:
        nodes = {node.id for node in _named(swarm, selection.names)}
    else:
        nodes = {node.id for node in candidates(swarm, selection)}
    pool = sorted(
        (t for t in swarm.serving(service) if t.node_id in nodes), key=lambda t: (t.slot, t.id)
    )
    if not pool:
        raise UsageError(f"no task of {service.name} runs on the selected nodes")
    return tuple(_draw(pool, selection, f"tasks of {service.name}"))


def candidates(swarm: Swarm, selection: Selection) -> list[Node]:
    """The eligible nodes, sorted by name.

    Raises:
        UsageError: a filter names something that does not exist, or no node matches all of them.
    """
    if selection.role and selection.role not in ROLES:
        raise unknown("role", selection.role, ROLES)
    zones = {n.labels[ZONE_LABEL] for n in swarm.nodes if n.labels.get(ZONE_LABEL)}
    if selection.zone and selection.zone not in zones:
        raise unknown("availability zone", selection.zone, zones)
    hosts: set[str] = set()
    if selection.hosts:
        hosts = {task.node_id for task in swarm.serving(_service(swarm, selection.hosts))}
    pool = [
        node
        for node in swarm.nodes
        if (not selection.role or node.role == selection.role)
        and all(node.labels.get(k) == v for k, v in selection.labels.items())
        and (not selection.zone or node.labels.get(ZONE_LABEL) == selection.zone)
        and (not selection.leader or node.leader)
        and (not selection.hosts or node.id in hosts)
    ]
    if not pool:
        asked = {k: v for k, v in selection.parameters().items() if k not in ("count", "seed")}
        listing = ", ".join(f"{node.hostname} ({node.role})" for node in swarm.nodes)
        raise UsageError(f"no node matches {asked}", f"nodes: {listing}")
    # The managers list nodes in another order at each request.
    return sorted(pool, key=lambda n: (n.hostname, n.id))


def _draw(pool: Sequence[Any], selection: Selection, what: str) -> list[Any]:
    if selection.percent is not None:
        if not 0 < selection.percent <= 100:
            raise UsageError(f"{selection.percent:g} % is not between 0 and 100")
        # Rounded up: a third of three is one, whatever the floating point says.
        count = math.ceil(round(len(pool) * selection.percent / 100, 6))
    else:
        count = 1 if selection.count is None else selection.count
    if count < 1:
        raise UsageError(f"cannot draw {count} {what}: the minimum is 1")
    if count > len(pool):
        names = ", ".join(getattr(one, "hostname", "") or one.id for one in pool)
        raise UsageError(f"cannot draw {count} {what} from {len(pool)}", f"there are: {names}")
    if count == len(pool):
        return list(pool)
    if selection.seed is None:
        raise ValueError("a draw needs a seed")
    return random.Random(selection.seed).sample(pool, count)  # noqa: S311  repeatable on purpose


def _named(swarm: Swarm, names: Sequence[str]) -> tuple[Node, ...]:
    by_name = {node.hostname: node for node in swarm.nodes}
    # A machine that joined anew leaves its old, dead entry behind under the same name.
    by_name |= {node.hostname: node for node in swarm.nodes if node.live}
    for name in names:
        if name not in by_name:
            raise unknown("node", name, by_name)
    return tuple(by_name[name] for name in dict.fromkeys(names))


def _service(swarm: Swarm, name: str) -> Service:
    service = swarm.service_by_name(name)
    if service is None:
        raise unknown("service", name, (s.name for s in swarm.services))
    return service
