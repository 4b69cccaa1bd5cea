"""Which tasks of a service clients are sent to: those that serve, without those about to leave.

What is about to leave is taken away first, so that no client has it when it stops: Swarm has no
hook before it stops a task. Pure.

- Tasks on a node with the label ``swarmctl.draining`` (``swarmctl node drain``).
- The old task of a slot, as soon as a newer one of that slot is on its way. Swarm has both at once
  only with ``order: start-first``, and stops the old one the moment that the new one runs (swarmkit
  manager/orchestrator/update/updater.go): the new one's start is the time to take the old one away.

A service never loses its last endpoint by this, and an update of many replicas at once leaves half
of those wanted.
"""

from __future__ import annotations

from swarmctl.reading.times import unix_time
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.node import Node

# Of a node: since when it is being drained (UTC, ISO 8601).
DRAINING_LABEL = "swarmctl.draining"


def is_draining(node: Node) -> bool:
    """Whether its endpoints are withdrawn."""
    return DRAINING_LABEL in node.labels


def reachable(swarm: Swarm, service: Service) -> tuple[Task, ...]:
    """The tasks of a service that clients are sent to."""
    draining = {node.id for node in swarm.nodes if is_draining(node)}
    serving = swarm.serving(service)
    staying = [task for task in serving if task.node_id not in draining] or list(serving)
    old = [task for task in staying if _replaced(task, swarm.tasks_of(service))]
    least = max(1, (swarm.wanted(service) + 1) // 2)
    spare = max(0, least - (len(staying) - len(old)))
    leaving = {task.id for task in sorted(old, key=lambda t: (t.place, t.id))[spare:]}
    return tuple(task for task in staying if task.id not in leaving)


def _replaced(task: Task, tasks: tuple[Task, ...]) -> bool:
    """Whether its slot has a newer task with a node: one without may wait for ever."""
    return any(
        other.place == task.place
        and other.id != task.id
        and other.meant_to_run
        and not (other.ended or other.unscheduled)
        and (other.state != "running" or _younger(other, task))
        for other in tasks
    )


def _younger(one: Task, other: Task) -> bool:
    return (unix_time(one.created_at), one.id) > (unix_time(other.created_at), other.id)
