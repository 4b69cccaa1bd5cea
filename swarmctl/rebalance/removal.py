"""Which replica Swarm would take away: pure.

``reconcile`` (manager/orchestrator/replicated/services.go) counts the slots of each node, those
that run first, and removes the one with the highest number; before all others it removes slots that
have no node yet, or more than one task. So a new replica that is still starting on an empty node is
*not* the one that goes: one that serves would be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from swarmctl.swarm.model import Service, Swarm, Task

_MEANT_TO_RUN = (
    "new",
    "pending",
    "assigned",
    "accepted",
    "preparing",
    "ready",
    "starting",
    "running",
)


def meant_to_run(swarm: Swarm, service: Service) -> list[Task]:
    """The tasks that Swarm counts when it compares them with the number that is wanted."""
    return [t for t in swarm.tasks_of(service) if t.desired_state in _MEANT_TO_RUN]


def keeps_enough(tasks: Iterable[Task], live: Collection[str], wanted: int) -> bool:
    """Whether enough replicas serve when Swarm takes one away now, whichever it chooses.

    Args:
        tasks: see :func:`meant_to_run`.
        live: ids of the nodes that answer.
        wanted: replicas that must go on serving.
    """
    slots: dict[int, list[Task]] = {}
    for task in tasks:
        slots.setdefault(task.slot, []).append(task)
    serving = {
        slot
        for slot, mine in slots.items()
        if any(t.state == "running" and t.node_id in live for t in mine)
    }
    return len(serving) - bool(_candidates(slots) & serving) >= wanted


def _candidates(slots: dict[int, list[Task]]) -> set[int]:
    """The slots of which Swarm may take any."""
    loose = {slot for slot, mine in slots.items() if len(mine) != 1 or not mine[0].node_id}
    if loose:
        return loose
    nodes: dict[str, list[Task]] = {}
    for (task,) in slots.values():
        nodes.setdefault(task.node_id, []).append(task)
    most = max(map(len, nodes.values()), default=0)
    found: set[int] = set()
    for mine in nodes.values():
        if len(mine) == most:
            waiting = [t for t in mine if t.state != "running"]
            found |= {t.slot for t in waiting or mine}
    return found
