"""The Swarm as one step of an upgrade leaves it behind: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from swarmctl.moves.earlier import EARLIER_LABEL, earlier
from swarmctl.moves.plan import DrainPlan
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node


def after_drain(swarm: Swarm, plan: DrainPlan, nodes: Sequence[Node]) -> Swarm:
    """The Swarm after these nodes were drained, upgraded and given back.

    The first outcome stands for all. What finds no place elsewhere waits, and runs again where it
    was.

    Args:
        swarm: before.
        plan: of those that are drained.
        nodes: all of the step.
    """
    drained, ids = {node.id for node in plan.nodes}, {node.id for node in nodes}
    names = {node.name: node.id for node in swarm.nodes}
    counts = plan.prediction.outcomes[0].counts if plan.prediction.outcomes else {}
    tasks = list(swarm.tasks)
    for service in swarm.services:
        if service.is_global or service.is_job:
            continue
        mine = [(i, t) for i, t in enumerate(tasks) if t.service_id == service.id and t.active]
        there = Counter(t.node_id for _, t in mine if t.node_id not in drained)
        wanted = Counter({names[on]: n for on, n in counts.get(service.name, {}).items()})
        places = list((wanted - there).elements())
        leaving = [(i, t) for i, t in mine if t.node_id in drained]
        for (place, task), node_id in zip(leaving, places, strict=False):
            tasks[place] = _moved(task, node_id)
    back = tuple(_given_back(n) if n.id in ids else n for n in swarm.nodes)
    return replace(swarm, nodes=back, tasks=tuple(tasks))


def _moved(task: Task, node_id: str) -> Task:
    return replace(task, node_id=node_id, state="running", ports=(), container_id="")


def _given_back(node: Node) -> Node:
    labels = {key: text for key, text in node.labels.items() if key != EARLIER_LABEL}
    return replace(node, availability=earlier(node) or node.availability, labels=labels)
