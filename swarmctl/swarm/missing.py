"""Why replicas of a service are missing, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from swarmctl.swarm.model import Service, Swarm, Task


def why_missing(
    swarm: Swarm, service: Service, lost: Collection[str] = frozenset()
) -> tuple[str, ...]:
    """The reasons, the most frequent first, each with its number of replicas.

    Args:
        swarm: a snapshot.
        service: one of its services.
        lost: ids of nodes to regard as lost, whatever their state.

    Returns:
        For example ``("2 on wkr1, which is down", "1 pending: no suitable node (…)")``; empty when
        nothing is missing, or the Swarm has not made the task yet.
    """
    return _counted(_reason(swarm, tasks, lost) for tasks in _unserved(swarm, service, lost))


def on_lost_nodes(swarm: Swarm, service: Service) -> tuple[str, ...]:
    """The part of :func:`why_missing` that is about lost nodes: replicas nobody can tell about."""
    unserved = _unserved(swarm, service, frozenset())
    return _counted(_on_lost_node(swarm, tasks[-1], frozenset()) for tasks in unserved)


def _counted(reasons: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(reason for reason in reasons if reason)
    return tuple(f"{count} {reason}" for reason, count in counts.most_common())


def _unserved(swarm: Swarm, service: Service, lost: Collection[str]) -> list[list[Task]]:
    """The tasks of each place where none serves, in the order they were made."""
    served = {task.place for task in swarm.serving(service) if task.node_id not in lost}
    attempts: dict[tuple[int, str], list[Task]] = {}
    for task in sorted(swarm.tasks_of(service), key=lambda t: t.created_at):
        attempts.setdefault(task.place, []).append(task)
    if service.is_global:
        wanted = swarm.wanted_on(service).difference(lost)
        attempts = {place: tasks for place, tasks in attempts.items() if place[1] in wanted}
    return [tasks for place, tasks in attempts.items() if place not in served]


def _on_lost_node(swarm: Swarm, task: Task, lost: Collection[str]) -> str:
    """``on wkr1, which is down`` if the task should run and claims to; else ``""``."""
    node = swarm.node_by_id(task.node_id)
    if task.state != "running" or not task.meant_to_run:
        return ""
    if node and node.live and node.id not in lost:
        return ""
    state = "gone" if node is None else "lost" if node.live else node.state
    return f"on {node.hostname if node else task.node_id}, which is {state}"


def _reason(swarm: Swarm, attempts: Sequence[Task], lost: Collection[str]) -> str:
    """Why a slot is empty, by its last task; ``""`` when it is not, or its task has completed."""
    *earlier, task = attempts
    node = swarm.node_by_id(task.node_id)
    name = node.hostname if node else task.node_id
    where = f" on {name}" if task.node_id else ""
    if task.state == "complete":
        return ""
    if task.state == "running" and task.meant_to_run:
        return _on_lost_node(swarm, task, lost)
    words = task.error or (task.message if task.state == "pending" or not task.meant_to_run else "")
    if not words:
        # A replacement has no error of its own; its predecessor has.
        errors = [before.error for before in earlier if before.error]
        words = f"after: {errors[-1]}" if errors else ""
    fate = "" if task.meant_to_run else ", not replaced"
    return f"{task.state}{where}{fate}" + (f": {' '.join(words.split())}" if words else "")
