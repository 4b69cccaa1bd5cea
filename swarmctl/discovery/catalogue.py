"""From a Swarm to its endpoints: pure, no I/O, no clock.

What is an endpoint:

- a **host port**, fixed or dynamic: one for each task that serves, at its node's address. Its id is
  the task's, as in ECS, so a replaced task is another endpoint;
- a port of the **routing mesh**: one for each live node that is not (being) drained, while any
  replica serves. The mesh answers on every node and chooses a replica by itself; an endpoint for
  each replica would list an address twice, and change while nothing changes for a client;
- a service **without a published port** is none: its overlay cannot be reached from outside.

Whether a task serves is :meth:`swarmctl.swarm.model.Swarm.serving`'s answer; what is about to leave
is left out before it stops: :mod:`swarmctl.discovery.leaving`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from swarmctl.discovery.endpoint import Catalogue, Endpoint, Member, Problem
from swarmctl.discovery.labels import (
    LabelError,
    Publication,
    is_dns_label,
    publication,
    version,
)
from swarmctl.discovery.leaving import is_draining, reachable
from swarmctl.discovery.routes.labels import Route
from swarmctl.discovery.routes.routes import routes
from swarmctl.reading.names import dns_label
from swarmctl.swarm.model import Port, Service, Swarm, Task
from swarmctl.swarm.node import Node


def catalogue(swarm: Swarm) -> Catalogue:
    """The endpoints of a Swarm.

    A service that cannot be published as its labels say is named in ``problems``; the others are
    not affected.

    Args:
        swarm: a snapshot; :mod:`swarmctl.discovery.forgotten` adds what the managers forgot.
    """
    published: list[tuple[Service, Publication]] = []
    problems: list[Problem] = []
    for service in swarm.services:
        try:
            if service.ports and not service.is_job and (how := publication(service)):
                published.append((service, how))
        except LabelError as fault:
            problems.append(Problem(service.name, str(fault)))
    shared = _shared_by_accident(published)
    heard = _as_if_heard(swarm)
    sure: list[Endpoint] = []
    hoped: list[Endpoint] = []
    for service, how in published:
        try:
            if how.name in shared and not how.named:
                raise LabelError(
                    f"another service has the name {how.name!r} too: set "
                    "swarmctl.discovery.name on one of them, or on both to share it"
                )
            sure += _endpoints(swarm, service, how)
            hoped += _endpoints(heard, service, how) if heard is not swarm else ()
        except LabelError as fault:
            problems.append(Problem(service.name, str(fault)))
    problems += _without_port(swarm, [service for service, _ in published])
    found, without = routes(
        [(service, how.main) for service, how in published]
        + [(s, 0) for s in swarm.services if not s.ports and not s.is_job]
    )
    problems += (Problem(name, text) for name, text in without.items())
    there = {e.id for e in sure}
    without_port = [e for e in sure if not e.port]
    return Catalogue(
        endpoints=_balanced([e for e in sure if e.port], found),
        unknown=_balanced([*without_port, *(e for e in hoped if e.id not in there)], found),
        members=members(swarm),
        problems=tuple(sorted(problems, key=lambda p: (p.service, p.text))),
        services=tuple(s.name for s in swarm.services if s.ports and not s.is_job),
        unpublished=tuple(s.name for s in swarm.services if not s.ports and not s.is_job),
        routes=found,
    )


def _balanced(endpoints: Iterable[Endpoint], found: Iterable[Route]) -> tuple[Endpoint, ...]:
    """The endpoints in order, those behind a load balancer marked."""
    behind = {(route.service, route.port, "tcp") for route in found}
    marked = (
        replace(each, balanced=True)
        if (each.service, each.target, each.protocol) in behind
        else each
        for each in endpoints
    )
    return tuple(sorted(marked, key=lambda e: (e.name, e.node, e.port, e.id)))


def members(swarm: Swarm) -> tuple[Member, ...]:
    """The nodes, each with a DNS label of its own."""
    labels = Counter(dns_label(node.name) for node in swarm.nodes)
    return tuple(
        Member(
            id=node.id,
            name=node.name,
            label=label
            if labels[label := dns_label(node.name)] == 1 and is_dns_label(label)
            else dns_label(node.id),
            address=node.address,
            zone=node.zone,
            role=node.role,
            live=node.live,
            leader=node.leader,
        )
        for node in swarm.nodes
    )


def _shared_by_accident(published: list[tuple[Service, Publication]]) -> frozenset[str]:
    """Names that several services have, at least one of them without asking for it."""
    uses = Counter(how.name for _, how in published)
    return frozenset(how.name for _, how in published if uses[how.name] > 1 and not how.named)


def _as_if_heard(swarm: Swarm) -> Swarm:
    """The Swarm if all nodes are there of which there is no news; the same if there are none."""
    if not any(node.unheard for node in swarm.nodes):
        return swarm
    nodes = (replace(node, state="ready") if node.unheard else node for node in swarm.nodes)
    return replace(swarm, nodes=tuple(nodes))


def _endpoints(swarm: Swarm, service: Service, how: Publication) -> Iterator[Endpoint]:
    yield from _host_ports(swarm, service, how)
    yield from _mesh_ports(swarm, service, how)


def _host_ports(swarm: Swarm, service: Service, how: Publication) -> Iterator[Endpoint]:
    for task in reachable(swarm, service):
        node = swarm.node_by_id(task.node_id)
        ports = (*host_ports(service, task), *missing_ports(service, task)) if node else ()
        for port in ports:
            assert node is not None
            yield _endpoint(service, how, port, node, task)


def host_ports(service: Service, task: Task) -> tuple[Port, ...]:
    """The host ports of a task: what its node reported, else the fixed ones of the service."""
    reported = {(p.target, p.protocol): p for p in task.ports if p.mode == "host" and p.published}
    fixed = (p for p in service.ports if p.mode == "host" and p.published)
    return tuple(
        ({(p.target, p.protocol): p for p in fixed} | reported).values(),
    )


def missing_ports(service: Service, task: Task) -> tuple[Port, ...]:
    """The dynamic host ports of a task of which nobody has said the number."""
    known = {(p.target, p.protocol) for p in host_ports(service, task)}
    wanted = {(p.target, p.protocol): p for p in service.ports if p.mode == "host"}
    return tuple(wanted[key] for key in sorted(wanted.keys() - known))


def _mesh_ports(swarm: Swarm, service: Service, how: Publication) -> Iterator[Endpoint]:
    ports = [port for port in service.ports if port.mode == "ingress" and port.published]
    if not ports or not swarm.serving(service):
        return
    nodes = [node for node in swarm.nodes if node.live and node.availability != "drain"]
    for node in [node for node in nodes if not is_draining(node)] or nodes:
        for port in ports:
            yield _endpoint(service, how, port, node, None)


def _endpoint(
    service: Service, how: Publication, port: Port, node: Node, task: Task | None
) -> Endpoint:
    main = port.target == how.main and port.protocol == "tcp"
    owner = task.id if task else f"{service.id}-{node.id}"
    return Endpoint(
        id=owner if main else f"{owner}-{port.target}-{port.protocol}",
        name=how.name_of(port.target),
        service=service.name,
        stack=service.stack,
        task=task.id if task else "",
        slot=task.slot if task else 0,
        node=node.name,
        address=node.address,
        port=port.published,
        target=port.target,
        protocol=port.protocol,
        mode=port.mode,
        zone=node.zone,
        version=version(service, task),
        tags=how.tags,
        since=task.updated_at if task else "",
        path=service.probe_path,
    )


def _without_port(swarm: Swarm, services: list[Service]) -> Iterator[Problem]:
    """Tasks that serve, but whose dynamic host port the managers do not know."""
    for service in services:
        for task in swarm.serving(service):
            for missing in missing_ports(service, task):
                port = f"{missing.target}/{missing.protocol}"
                text = f"task {task.id}: the managers do not know the host port of {port}"
                yield Problem(service.name, text)
