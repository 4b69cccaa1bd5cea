"""Which tasks of a service clients are sent to: those that serve, without those about to leave.

What is about to leave is taken away first, so that no client has it when it stops: Swarm has no
hook before it stops a task. Pure.

- Tasks on a node with the label ``swarmctl.draining`` (``swarmctl node drain``).
- Tasks of a service on the nodes that *its* label ``swarmctl.draining`` names, from which Swarm
  will remove one (``swarmctl rebalance``): it does not say which. Only if half of those wanted
  remain.
- The old task of a slot, as soon as a newer one of that slot is on its way. Swarm has both at once
  only with ``order: start-first``, and stops the old one the moment that the new one runs (swarmkit
  manager/orchestrator/update/updater.go): the new one's start is the time to take the old one away.

A service never loses its last endpoint by this, and an update of many replicas at once leaves half
of those wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from swarmctl.reading.times import unix_time
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.node import Node

# Of a node: since when it is being drained (UTC, ISO 8601). Of a service: see service_mark().
DRAINING_LABEL = "swarmctl.draining"


def is_draining(node: Node) -> bool:
    """Whether its endpoints are withdrawn."""
    return DRAINING_LABEL in node.labels


def service_mark(replicas: int, nodes: Collection[str]) -> str:
    """The label's value for a service that is about to lose a replica on one of these nodes.

    It holds only for this number of replicas, so it ends with any request that changes the number.
    A label that is left behind would hold again at that number: whoever puts the number back, or
    finds it changed, takes the label away too.
    """
    return f"{replicas} {','.join(sorted(nodes))}"


def marked(spec: dict[str, Any], mark: str) -> dict[str, Any]:
    """A service's spec with this mark, or with none if it is ``""``; the same object if it is so.

    Args:
        spec: the Engine's JSON.
        mark: see :func:`service_mark`.
    """
    before = spec.get("Labels") or {}
    if before.get(DRAINING_LABEL, "") == mark:
        return spec
    labels = {key: text for key, text in before.items() if key != DRAINING_LABEL}
    return {**spec, "Labels": labels | ({DRAINING_LABEL: mark} if mark else {})}


def without_marks(swarm: Swarm) -> Swarm:
    """The Swarm as if nothing were about to be moved."""

    def unmarked(labels: Mapping[str, str]) -> dict[str, str]:
        return {key: text for key, text in labels.items() if key != DRAINING_LABEL}

    return replace(
        swarm,
        nodes=tuple(replace(n, labels=unmarked(n.labels)) for n in swarm.nodes),
        services=tuple(replace(s, labels=unmarked(s.labels)) for s in swarm.services),
    )


def reachable(swarm: Swarm, service: Service) -> tuple[Task, ...]:
    """The tasks of a service that clients are sent to."""
    draining = {node.id for node in swarm.nodes if is_draining(node)}
    serving = swarm.serving(service)
    staying = [task for task in serving if task.node_id not in draining] or list(serving)
    least = max(1, (swarm.wanted(service) + 1) // 2)
    marked = _marked_nodes(service)
    unmarked = [task for task in staying if task.node_id not in marked]
    if len(unmarked) >= least:
        staying = unmarked
    old = [task for task in staying if _replaced(task, swarm.tasks_of(service))]
    spare = max(0, least - (len(staying) - len(old)))
    leaving = {task.id for task in sorted(old, key=lambda t: (t.place, t.id))[spare:]}
    return tuple(task for task in staying if task.id not in leaving)


def _marked_nodes(service: Service) -> Collection[str]:
    replicas, _, nodes = service.labels.get(DRAINING_LABEL, "").partition(" ")
    return nodes.split(",") if replicas == str(service.replicas) else ()


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
