"""A Swarm as a person asks about it: which node does what, where a service runs, what is missing.

Pure: from a snapshot (and, if at hand, the EC2 instances) to plain data. ``swarmctl status`` draws
it as tables, or prints :func:`as_json`, whose form is stable::

    {"version": 1, "healthy": true, "cluster": "swarm_app", "manager": "10.42.0.4",
     "nodes": [{"name", "id", "role", "state", "availability", "leader", "reachability", "address",
                "engine", "labels", "message", "instance": {"id", "state", "az"} | null,
                "tasks": {SERVICE: N}}],
     "services": [{"name", "stack", "mode", "image", "wanted", "running", "missing", "update",
                   "nodes": {NODE: N}, "reasons": [TEXT],
                   "ports": [{"protocol", "target", "published", "mode", "node"}]}],
     "not_members": [{"name", "id", "state", "az"}]}

``not_members`` are machines of the cluster that run and are no node of the Swarm; with one of them
the Swarm is not healthy. ``status --deep`` adds
``"network": [{"place", "what", "remedy", "severity"}]``, empty when all is well; the severity is
``error`` or ``warning``.

The command adds ``"backup": {"name", "at", "where", "proven", "proven_at", "differences"} | null``,
the last backup that is recorded in the Swarm.

``running`` counts tasks on live nodes only (for a job: completed ones); ``node`` of a port is
``""`` for the routing mesh, which answers on every node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from swarmctl.swarm.missing import why_missing
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.node import Node


class Machine(Protocol):
    """An EC2 instance, as far as it matters here."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def az(self) -> str: ...


@dataclass(frozen=True, slots=True)
class InstanceView:
    """The machine under a node."""

    id: str
    state: str
    az: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node and what serves on it."""

    name: str
    id: str
    role: str
    state: str
    availability: str
    leader: bool
    reachability: str
    address: str
    engine: str
    labels: Mapping[str, str]
    message: str
    instance: InstanceView | None
    tasks: Mapping[str, int]  # service → tasks that serve here


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port from outside; ``node`` is ``""`` when the routing mesh answers on every node."""

    protocol: str
    target: int
    published: int
    mode: str
    node: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service, where it serves, and why something is missing."""

    name: str
    stack: str
    mode: str
    image: str
    wanted: int
    running: int
    missing: int
    update: str
    nodes: Mapping[str, int]  # node → tasks that serve there
    reasons: tuple[str, ...]
    ports: tuple[PublishedPort, ...]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A machine of the cluster that runs and is no node of the Swarm."""

    name: str
    id: str
    state: str
    az: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole Swarm."""

    healthy: bool
    nodes: tuple[NodeView, ...]
    services: tuple[ServiceView, ...]
    not_members: tuple[Stranger, ...] = ()


def overview(swarm: Swarm, machines: Iterable[Machine] = ()) -> Overview:
    """Look at a snapshot as a person does.

    Args:
        swarm: the snapshot.
        machines: EC2 instances; one belongs to the node of its name.
    """
    by_name = {machine.name: machine for machine in machines}
    on = _on_nodes(swarm)
    strangers = _strangers(swarm, by_name.values())
    return Overview(
        healthy=swarm.healthy and not strangers,
        nodes=tuple(
            _node(node, by_name.get(node.hostname), on.get(node.id, {})) for node in swarm.nodes
        ),
        services=tuple(_service(swarm, service) for service in swarm.services),
        not_members=strangers,
    )


def _strangers(swarm: Swarm, machines: Iterable[Machine]) -> tuple[Stranger, ...]:
    members = {node.hostname for node in swarm.nodes}
    return tuple(
        Stranger(m.name, m.id, m.state, m.az)
        for m in sorted(machines, key=lambda machine: machine.name)
        if m.state in ("pending", "running") and m.name not in members
    )


def as_json(view: Overview, *, cluster: str, manager: str) -> dict[str, Any]:
    """The overview in the form described above.

    Args:
        view: the overview.
        cluster: the cluster's name, ``""`` when a host was named instead.
        manager: the address of the manager that was asked.
    """
    head = {"version": 1, "healthy": view.healthy, "cluster": cluster, "manager": manager}
    return head | asdict(view)


def _on_nodes(swarm: Swarm) -> dict[str, dict[str, int]]:
    """By node id: how many tasks serve there, by service in the order of the services."""
    found: dict[str, dict[str, int]] = {}
    for service in swarm.services:
        for node_id, count in Counter(task.node_id for task in swarm.serving(service)).items():
            found.setdefault(node_id, {})[service.name] = count
    return found


def _node(node: Node, machine: Machine | None, tasks: dict[str, int]) -> NodeView:
    return NodeView(
        name=node.hostname,
        id=node.id,
        role=node.role,
        state=node.state,
        availability=node.availability,
        leader=node.leader,
        reachability=node.reachability,
        address=node.address,
        engine=node.engine_version,
        labels=dict(node.labels),
        message=node.message,
        instance=InstanceView(machine.id, machine.state, machine.az) if machine else None,
        tasks=tasks,
    )


def _service(swarm: Swarm, service: Service) -> ServiceView:
    missing = swarm.missing(service)
    where = Counter(_hostname(swarm, t) for t in swarm.serving(service))
    return ServiceView(
        name=service.name,
        stack=service.stack,
        mode=service.mode,
        image=service.image.partition("@")[0],
        wanted=swarm.wanted(service),
        running=swarm.completed(service) if service.is_job else swarm.running(service),
        missing=missing,
        update=service.update_state,
        nodes=dict(sorted(where.items())),
        reasons=why_missing(swarm, service) if missing else (),
        ports=_ports(swarm, service),
    )


def _hostname(swarm: Swarm, task: Task) -> str:
    node = swarm.node_by_id(task.node_id)
    return node.hostname if node else task.node_id


def _ports(swarm: Swarm, service: Service) -> tuple[PublishedPort, ...]:
    mesh = [p for p in service.ports if p.mode != "host"]
    found = [PublishedPort(p.protocol, p.target, p.published, p.mode, "") for p in mesh]
    for task in swarm.serving(service):
        found += [
            PublishedPort(p.protocol, p.target, p.published, p.mode, _hostname(swarm, task))
            for p in task.ports
            if p.mode == "host"
        ]
    return tuple(sorted(found, key=lambda p: (p.node, p.published, p.target, p.protocol)))
