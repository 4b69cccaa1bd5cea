"""The nodes and tasks that a selection means in one Swarm; the same seed draws the same ones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from swarmctl.chaos.fault.selection import Selection
from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node, find_node

ROLES = ("worker", "manager")


def choose(swarm: Swarm, selection: Selection) -> tuple[Node, ...]:
    """The selected nodes: the named ones, or some of the eligible ones, sorted by name.

    Raises:
        UsageError: an unknown node, role, zone or service, or more asked for than there are.
    """
    pool = candidates(swarm, selection)
    if selection.names:
        return tuple(pool)
    return tuple(sorted(_draw(pool, selection, "nodes"), key=lambda node: node.hostname))


def choose_tasks(swarm: Swarm, selection: Selection) -> tuple[Task, ...]:
    """The selected tasks: running tasks of the selection's service on the selected nodes.

    Raises:
        UsageError: no service was named, it is unknown, or it has no such task.
    """
    nodes = {node.id for node in candidates(swarm, selection)}
    found = [task for task in _serving(swarm, selection.service) if task.node_id in nodes]
    pool = sorted(found, key=lambda task: (task.slot, task.id))
    if not pool:
        raise UsageError(f"no task of {selection.service} runs on the selected nodes")
    return tuple(_draw(pool, selection, f"tasks of {selection.service}"))


def candidates(swarm: Swarm, selection: Selection) -> list[Node]:
    """The named nodes, or else the eligible ones, sorted by name.

    Raises:
        UsageError: a name does not exist, or no node matches all filters.
    """
    _check_names(swarm, selection)
    if selection.names:
        found = (find_node(swarm.nodes, name) for name in selection.names)
        return list({node.id: node for node in found}.values())
    hosts = {task.node_id for task in _serving(swarm, selection.hosts)}
    pool = [
        node
        for node in swarm.nodes
        if (not selection.role or node.role == selection.role)
        and all(node.labels.get(k) == v for k, v in selection.labels.items())
        and (not selection.zone or node.zone == selection.zone)
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


def _serving(swarm: Swarm, service: str) -> list[Task]:
    return [t for s in swarm.services if s.name == service for t in swarm.serving(s)]


def _check_names(swarm: Swarm, selection: Selection) -> None:
    zones = {n.zone for n in swarm.nodes if n.zone}
    services = [service.name for service in swarm.services]
    for what, names, known in (
        ("role", (selection.role,), ROLES),
        ("availability zone", (selection.zone,), zones),
        ("service", (selection.hosts, selection.service), services),
    ):
        for name in filter(None, names):
            if name not in known:
                raise unknown(what, name, known)
