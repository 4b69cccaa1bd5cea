"""Which published services are probed over HTTP, and at which endpoints.

Counters can look healthy while the data path is not (moby#41668, moby#53141), so an experiment
probes the services as a client would: before the fault on every node, then on those that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import ALL, NONE, FixedProbe, PlannedProbe, ServiceProbe
from swarmctl.chaos.probes.probe import Endpoint
from swarmctl.chaos.probes.tcp import Tcp
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import UsageError
from swarmctl.network.ports import should_answer
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Port, Service, Swarm
from swarmctl.swarm.node import Node


def published(swarm: Swarm, named: str | None) -> tuple[Service, ...]:
    """The published services of a name.

    Args:
        swarm: where they run.
        named: one service's name, ``none`` for no probes, or ``None`` for every service of a stack
            that publishes a TCP port and is to serve.

    Raises:
        UsageError: no service of that name, or it publishes no TCP port.
    """
    if named == NONE:
        return ()
    if named is None:
        return tuple(
            s for s in swarm.services if s.stack and _publishes_tcp(s) and should_answer(swarm, s)
        )
    service = next((s for s in swarm.services if s.name == named), None)
    if service is None:
        raise unknown("service", named, (s.name for s in swarm.services))
    if not _publishes_tcp(service):
        names = ", ".join(s.name for s in swarm.services if _publishes_tcp(s)) or "none"
        raise UsageError(f"service {named} publishes no TCP port", f"published: {names}")
    return (service,)


def probed_services(
    swarm: Swarm,
    named: str | None,
    planned: Sequence[PlannedProbe],
    balanced: Collection[str] = (),
) -> tuple[Service, ...]:
    """The published services a plan probes.

    Args:
        swarm: where they run.
        named: see :func:`published`; used when the plan lists no service.
        planned: the plan's probes.
        balanced: services that only the load balancer may reach: probed only if they are named.

    Raises:
        UsageError: see :func:`published`; or a probe with a fixed address has the name of one of
            these services.
    """
    names = dict.fromkeys(probe.service for probe in planned if isinstance(probe, ServiceProbe))
    found: dict[str, Service] = {}
    for name in names or (named,):
        every = name in (ALL, None)
        chosen = published(swarm, None if every else name)
        found |= {s.name: s for s in chosen if not (every and s.name in balanced)}
    for probe in planned:
        if isinstance(probe, FixedProbe) and probe.name in found:
            raise UsageError(
                f"the probe {probe.name} has the name of a service that is also probed",
                "give it another name",
            )
    return tuple(found.values())


@dataclass
class ServiceEndpoints:
    """Where each service can be reached.

    A port of the routing mesh is open on every node; a host port on the nodes where the service's
    tasks run, under the number each task was given. These numbers are kept here, because Swarm
    loses them when its leader changes; see :mod:`swarmctl.swarm.observe.host_ports`.

    Args:
        services: what is probed.
        machines: EC2 instances by name (the nodes' hostnames).
        excluded: ids of nodes that are not asked: from the fault on, those that are lost.
        planned: path and expected status by service name, where the plan has them.
        fixed: endpoints that do not move, by probe name.
    """

    services: Sequence[Service]
    machines: Mapping[str, Machine]
    excluded: Collection[str] = ()
    planned: Mapping[str, ServiceProbe] = field(default_factory=dict)
    fixed: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    _ports: dict[str, tuple[Port, ...]] = field(default_factory=dict)  # task id → ports

    def current(self, swarm: Swarm) -> dict[str, tuple[Endpoint, ...]]:
        """The endpoints in this snapshot, by service.

        A node whose state is ``unknown`` (during an election) is asked: clients would ask it too.
        """
        nodes = {
            node.id: node
            for node in swarm.nodes
            if node.state != "down" and node.id not in self.excluded
        }
        moving = {service.name: self._of(service, swarm, nodes) for service in self.services}
        return {**moving, **self.fixed}

    def remember(self, ports: Mapping[str, tuple[Port, ...]]) -> None:
        """Add host ports that the nodes reported, by task id."""
        self._ports |= ports

    def missing_ports(self, swarm: Swarm) -> tuple[Service, ...]:
        """Services with a running task whose host ports the managers do not report."""
        return tuple(
            service
            for service in self.services
            if any(port.mode == "host" for port in service.ports)
            and not all(task.ports or self._ports.get(task.id) for task in swarm.serving(service))
        )

    def without_ports(self, swarm: Swarm) -> tuple[str, ...]:
        """Services of which no running task's host ports are known."""
        return tuple(
            service.name
            for service in self.missing_ports(swarm)
            if not any(self._ports.get(task.id) or task.ports for task in swarm.serving(service))
        )

    def _of(
        self, service: Service, swarm: Swarm, nodes: Mapping[str, Node]
    ) -> tuple[Endpoint, ...]:
        found = _mesh_ports(service, nodes) | self._host_ports(swarm, service, nodes)
        planned = self.planned.get(service.name) or ServiceProbe(service.name)
        path = planned.path or service.probe_path
        places = sorted(
            (nodes[node_id].hostname, port, address)
            for node_id, port in found
            if (address := self._address(nodes[node_id]))
        )
        return tuple(
            Endpoint(
                service.name,
                node,
                Http(f"http://{host}:{port}{path}", planned.status)
                if path
                else Tcp(host.strip("[]"), port),
            )
            for node, port, host in places
        )

    def _host_ports(
        self, swarm: Swarm, service: Service, nodes: Collection[str]
    ) -> set[tuple[str, int]]:
        running = [
            task
            for task in swarm.tasks_of(service)
            if task.state == task.desired_state == "running" and task.node_id in nodes
        ]
        self._ports |= {task.id: task.ports for task in running if task.ports}
        return {
            (task.node_id, port.published)
            for task in running
            for port in self._ports.get(task.id, ())
            if port.protocol == "tcp" and port.mode == "host" and port.published
        }

    def _address(self, node: Node) -> str:
        machine = self.machines.get(node.hostname)
        address = (machine.address if machine else None) or node.address
        return f"[{address}]" if ":" in address else address


def _publishes_tcp(service: Service) -> bool:
    return any(port.protocol == "tcp" for port in service.ports)


def _mesh_ports(service: Service, nodes: Collection[str]) -> set[tuple[str, int]]:
    ports = {p.published for p in service.ports if p.protocol == "tcp" and p.mode == "ingress"}
    return {(node_id, port) for node_id in nodes for port in ports if port}
