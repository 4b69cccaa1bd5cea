"""What others changed in the Swarm during a run: the differences of two snapshots, pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from swarmctl.swarm.model import Service, Swarm, same_spec
from swarmctl.swarm.node import Node


@dataclass(frozen=True, slots=True)
class Change:
    """One change that is not the fault's.

    Args:
        text: what changed, in words.
        updated: the service whose replicas it replaces; ``""`` for none. Their recovery shows
            nothing then.
        is_state: whether it is the state of a node.
    """

    text: str
    updated: str = ""
    is_state: bool = False


def changes(before: Swarm, now: Swarm, targets: Collection[str]) -> tuple[Change, ...]:
    """What changed between two snapshots.

    Args:
        before: the earlier one.
        now: the later one.
        targets: hostnames of the targets: what they do is the fault's doing.
    """
    return (*_service_changes(before, now), *_node_changes(before, now, targets))


def _service_changes(before: Swarm, now: Swarm) -> Iterator[Change]:
    old, new = ({service.id: service for service in s.services} for s in (before, now))
    for service_id in old.keys() - new.keys():
        yield Change(f"service {old[service_id].name} was removed")
    for service_id, service in new.items():
        if service_id not in old:
            yield Change(f"service {service.name} was created")
        else:
            yield from _changed_service(old[service_id], service)


def _changed_service(old: Service, new: Service) -> Iterator[Change]:
    if old.replicas != new.replicas:
        yield Change(f"{new.name} was scaled from {old.replicas} to {new.replicas}")
    image = f" ({old.image} → {new.image})" if old.image != new.image else ""
    if image or not same_spec(old.task_spec, new.task_spec):
        yield Change(f"{new.name} was updated{image}", updated=new.name)
    elif (old.ports, old.labels) != (new.ports, new.labels):
        yield Change(f"labels or ports of {new.name} were changed")


def _node_changes(before: Swarm, now: Swarm, targets: Collection[str]) -> Iterator[Change]:
    old, new = (
        {node.id: node for node in s.nodes if node.hostname not in targets} for s in (before, now)
    )
    for node_id in old.keys() - new.keys():
        yield Change(f"{old[node_id].hostname} was removed from the Swarm")
    for node_id, node in new.items():
        if node_id not in old:
            yield Change(f"{node.hostname} joined the Swarm")
        else:
            yield from _changed_node(old[node_id], node)


def _changed_node(old: Node, new: Node) -> Iterator[Change]:
    if old.state != new.state:
        yield Change(f"{new.hostname} went from {old.state} to {new.state}", is_state=True)
    if old.availability != new.availability:
        yield Change(f"{new.hostname} was set to {new.availability}")
    if old.role != new.role:
        yield Change(f"{new.hostname} became a {new.role}")
    reach = (old.reachability, new.reachability)
    if new.live and reach[0] != reach[1] and "unreachable" in reach:
        yield Change(f"manager {new.hostname} became {new.reachability or 'a worker'}")
    if old.labels != new.labels:
        yield Change(f"labels of {new.hostname} were changed")
