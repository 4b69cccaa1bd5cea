"""Why replicas of a service are missing, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

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
    served = {task.place for task in swarm.serving(service) if task.node_id not in lost}
    attempts: dict[tuple[int, str], list[Task]] = {}
    for task in sorted(swarm.tasks_of(service), key=lambda t: t.created_at):
        attempts.setdefault(task.place, []).append(task)
    if service.is_global:
        wanted = swarm.wanted_on(service).difference(lost)
        attempts = {place: tasks for place, tasks in attempts.items() if place[1] in wanted}
    reasons = Counter(
        reason
        for place, tasks in attempts.items()
        if place not in served and (reason := _reason(swarm, tasks, lost))
    )
    return tuple(f"{count} {reason}" for reason, count in reasons.most_common())


def _reason(swarm: Swarm, attempts: Sequence[Task], lost: Collection[str]) -> str:
    """Why a slot is empty, by its last task; ``""`` when it is not, or its task has completed."""
    *earlier, task = attempts
    node = swarm.node_by_id(task.node_id)
    name = node.hostname if node else task.node_id
    where = f" on {name}" if task.node_id else ""
    meant_to_run = task.desired_state in ("running", "ready")
    if task.state == "complete":
        return ""
    if task.state == "running" and meant_to_run:
        if node and node.live and node.id not in lost:
            return ""
        state = "gone" if node is None else "lost" if node.live else node.state
        return f"on {name}, which is {state}"
    words = task.error or (task.message if task.state == "pending" or not meant_to_run else "")
    if not words:
        # A replacement has no error of its own; its predecessor has.
        errors = [before.error for before in earlier if before.error]
        words = f"after: {errors[-1]}" if errors else ""
    fate = "" if meant_to_run else ", not replaced"
    return f"{task.state}{where}{fate}" + (f": {' '.join(words.split())}" if words else "")
