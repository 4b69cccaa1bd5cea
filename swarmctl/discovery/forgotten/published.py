"""Host ports that the managers forgot, read from Cloud Map, where an agent registered them before.

An agent on a manager has no SSH to the nodes. A task's port never changes, and an instance has the
task's id: what an earlier agent published is as good as the node's own answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from swarmctl.cloud.cloud_map import CloudInstance, CloudMap
from swarmctl.discovery.labels import LabelError, Publication, publication
from swarmctl.discovery.listeners.cloud_map.records import OWNER
from swarmctl.swarm.model import Port, Service, Swarm, Task


class PublishedPorts:
    """Reads ports in a namespace.

    Args:
        cloud: finds the namespace, when it is needed.
        owner: the Swarm's id; instances of another owner prove nothing.
    """

    def __init__(self, cloud: Callable[[], CloudMap], owner: Callable[[], str]) -> None:
        self._find, self._owner = cloud, owner

    def __call__(self, swarm: Swarm, services: Sequence[Service]) -> dict[str, tuple[Port, ...]]:
        """The published host ports of these services' tasks, by task id.

        Raises:
            CloudError: Cloud Map does not answer.
        """
        wanted = {service.name: how for service in services if (how := _publication(service))}
        if not wanted:
            return {}
        cloud, owner = self._find(), self._owner()
        there = {service.name: service for service in cloud.services()}
        found: dict[str, set[Port]] = {}
        for service in services:
            if not (how := wanted.get(service.name)):
                continue
            tasks = {task.id: task for task in swarm.serving(service)}
            for name in {how.name_of(port.target) for port in service.ports if port.mode == "host"}:
                for instance in cloud.instances(there[name]) if name in there else ():
                    if instance.attributes.get(OWNER) == owner:
                        for task, port in _port(swarm, service, how, tasks, instance):
                            found.setdefault(task, set()).add(port)
        return {task: tuple(sorted(p, key=lambda port: port.target)) for task, p in found.items()}


def _publication(service: Service) -> Publication | None:
    try:
        return publication(service)
    except LabelError:
        return None


def _port(
    swarm: Swarm,
    service: Service,
    how: Publication,
    tasks: dict[str, Task],
    instance: CloudInstance,
) -> Iterator[tuple[str, Port]]:
    """The port of an instance, if it is of one of these tasks and at its node's address."""
    id_, _, rest = instance.id.partition("-")
    task = tasks.get(id_)
    node = swarm.node_by_id(task.node_id) if task else None
    number = instance.attributes.get("AWS_INSTANCE_PORT", "")
    addresses = {instance.attributes.get(f"AWS_INSTANCE_IPV{family}") for family in (4, 6)}
    if node is None or node.address not in addresses or not number.isdecimal():
        return
    target, _, protocol = rest.partition("-") if rest else (str(how.main), "", "tcp")
    for port in service.ports:
        if port.mode == "host" and (str(port.target), port.protocol) == (target, protocol):
            yield id_, Port(protocol, port.target, int(number), "host")
