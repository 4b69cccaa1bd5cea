"""Whether a service can lose one replica without falling short: pure.

``reconcile`` (manager/orchestrator/replicated/services.go) counts the slots of each node, running
ones first, and removes the one with the highest number; before all others it removes slots without
a node and slots with more than one task. So a new replica that is still starting on an empty node
is *not* the one it removes: it removes one that serves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from swarmctl.swarm.model import Task


def can_lose_one(tasks: Iterable[Task], live: Collection[str], wanted: int) -> bool:
    """Whether enough replicas serve after Swarm has removed one, whichever it chooses.

    Args:
        tasks: of the service, those that are meant to run.
        live: ids of the live nodes.
        wanted: replicas that must go on serving.
    """
    slots = _by_slot(tasks)
    serving = {
        slot
        for slot, attempts in slots.items()
        if any(t.state == "running" and t.node_id in live for t in attempts)
    }
    return len(serving) - bool(_removable(slots) & serving) >= wanted


def nodes_to_lose_one(tasks: Iterable[Task]) -> set[str]:
    """The ids of the nodes from which Swarm may remove a replica."""
    slots = _by_slot(tasks)
    return {task.node_id for slot in _removable(slots) for task in slots[slot]}


def _by_slot(tasks: Iterable[Task]) -> dict[int, list[Task]]:
    slots: dict[int, list[Task]] = {}
    for task in tasks:
        slots.setdefault(task.slot, []).append(task)
    return slots


def _removable(slots: dict[int, list[Task]]) -> set[int]:
    """The slots of which Swarm may remove any."""
    loose = {slot for slot, tasks in slots.items() if len(tasks) != 1 or not tasks[0].node_id}
    if loose:
        return loose
    nodes: dict[str, list[Task]] = {}
    for (task,) in slots.values():
        nodes.setdefault(task.node_id, []).append(task)
    most = max(map(len, nodes.values()), default=0)
    found: set[int] = set()
    for tasks in nodes.values():
        if len(tasks) == most:
            starting = [t for t in tasks if t.state != "running"]
            found |= {t.slot for t in starting or tasks}
    return found
