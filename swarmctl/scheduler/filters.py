"""Which nodes may take a task, and which filters refuse when none may.

The filters and their order are those of manager/scheduler/{filter,pipeline}.go: the first that
fails counts. What the API's JSON does not show is left out: cluster (CSI) volumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from swarmctl.swarm.model import HostPort, Service
from swarmctl.swarm.node import Node

# More than any group of tasks: the capacity of a node that nothing limits.
UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class Room:
    """What a node has left, and what it runs already."""

    nano_cpus: int
    memory_bytes: int
    generic: Mapping[str, int]
    used_ports: frozenset[HostPort]
    of_service: int  # active tasks of the service in question


def _ready(node: Node, _service: Service, _room: Room) -> bool:
    return node.state == "ready" and node.availability == "active"


def _resources(_node: Node, service: Service, room: Room) -> bool:
    return room_for_resources(service, room) > 0


def _plugins(node: Node, service: Service, _room: Room) -> bool:
    if node.plugins is None:  # an old Engine that does not tell
        return True
    if not all(_has_plugin(node.plugins, "Volume", d) for d in service.volume_drivers):
        return False
    if not all(_has_plugin(node.plugins, "Network", d) for d in service.network_drivers):
        return False
    if service.log_driver in ("", "none"):
        return True
    logs_known = any(kind == "Log" for kind, _ in node.plugins)
    return not logs_known or _has_plugin(node.plugins, "Log", service.log_driver)


def _has_plugin(plugins: Iterable[tuple[str, str]], kind: str, name: str) -> bool:
    return any(k == kind and n in (name, f"{name}:latest") for k, n in plugins)


def _constraints(node: Node, service: Service, _room: Room) -> bool:
    return all(constraint.holds(node) for constraint in service.constraints)


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _platform(node: Node, service: Service, _room: Room) -> bool:
    if not service.platforms:
        return True
    arch = _ARCHITECTURES.get(node.platform_arch, node.platform_arch)
    return any(
        wanted_os in ("", node.platform_os)
        and _ARCHITECTURES.get(wanted_arch, wanted_arch) in ("", arch)
        for wanted_os, wanted_arch in service.platforms
    )


def _host_ports(_node: Node, service: Service, room: Room) -> bool:
    return not service.host_ports & room.used_ports


def _max_replicas(_node: Node, service: Service, room: Room) -> bool:
    return not service.max_replicas or room.of_service < service.max_replicas


class Filter(StrEnum):
    """What may refuse a node (defaultFilters, pipeline.go)."""

    READY = "ready"
    RESOURCES = "resources"
    PLUGIN = "plugin"
    CONSTRAINT = "constraint"
    PLATFORM = "platform"
    HOST_PORT = "host-port"
    MAX_REPLICAS = "max-replicas"


# Filters that more or bigger nodes would satisfy.
ROOM = frozenset({Filter.RESOURCES, Filter.HOST_PORT, Filter.MAX_REPLICAS})

Check = Callable[[Node, Service, Room], bool]

# In the order of defaultFilters (pipeline.go).
FILTERS: Mapping[Filter, Check] = {
    Filter.READY: _ready,
    Filter.RESOURCES: _resources,
    Filter.PLUGIN: _plugins,
    Filter.CONSTRAINT: _constraints,
    Filter.PLATFORM: _platform,
    Filter.HOST_PORT: _host_ports,
    Filter.MAX_REPLICAS: _max_replicas,
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """A filter and how many nodes it was the first to refuse."""

    filter: Filter
    nodes: int

    def __str__(self) -> str:
        """SwarmKit's words (Explain, filter.go)."""
        nodes = "1 node" if self.nodes == 1 else f"{self.nodes} nodes"
        return {
            Filter.READY: f"{nodes} not available for new tasks",
            Filter.RESOURCES: f"insufficient resources on {nodes}",
            Filter.PLUGIN: f"missing plugin on {nodes}",
            Filter.CONSTRAINT: f"scheduling constraints not satisfied on {nodes}",
            Filter.PLATFORM: f"unsupported platform on {nodes}",
            Filter.HOST_PORT: f"host-mode port already in use on {nodes}",
            Filter.MAX_REPLICAS: "max replicas per node limit exceed",
        }[self.filter]


# Why a task stays pending, the filter that refused most nodes first.
Shortages = tuple[Shortage, ...]


def suits(node: Node, service: Service) -> bool:
    """Whether a node would do if it were empty: the filters that no other task can change."""
    return all(
        check(node, service, _EMPTY) for check in (_ready, _plugins, _constraints, _platform)
    )


_EMPTY = Room(0, 0, {}, frozenset(), 0)


def capacity(service: Service, room: Room) -> int:
    """How many more tasks of a service a node takes, one after the other, until a filter fails.

    A node's own tasks are all that changes its filters, so one number says everything about them.
    """
    limit = room_for_resources(service, room)
    if service.max_replicas:
        limit = min(limit, service.max_replicas - room.of_service)
    if service.host_ports:
        limit = min(limit, 0 if service.host_ports & room.used_ports else 1)
    return max(0, limit)


def room_for_resources(service: Service, room: Room) -> int:
    """How many reservations of the service fit."""
    wanted, limit = service.reservations, UNLIMITED
    if wanted.nano_cpus:
        limit = min(limit, room.nano_cpus // wanted.nano_cpus)
    if wanted.memory_bytes:
        limit = min(limit, room.memory_bytes // wanted.memory_bytes)
    for kind, amount in wanted.generic:
        if amount:
            limit = min(limit, room.generic.get(kind, 0) // amount)
        elif not room.generic.get(kind):  # asking for none still needs the kind to be there
            limit = 0
    # SwarmKit asks nothing of a task without reservations, even of a node that is overbooked.
    return limit if wanted.empty else max(0, limit) if _fits(service, room) else 0


def _fits(service: Service, room: Room) -> bool:
    """With any reservation, CPU and memory are compared even where it asks for none of them."""
    wanted = service.reservations
    return wanted.nano_cpus <= room.nano_cpus and wanted.memory_bytes <= room.memory_bytes


def explain(service: Service, nodes: Iterable[tuple[Node, Room]]) -> Shortages:
    """Why a task of the service stays pending.

    Args:
        service: of the task.
        nodes: every node of the Swarm, down ones included, with what is left on it.
    """
    refused = Counter(
        next(name for name, check in FILTERS.items() if not check(node, service, room))
        for node, room in nodes
        if not all(check(node, service, room) for check in FILTERS.values())
    )
    in_order = [Shortage(name, refused[name]) for name in FILTERS if refused[name]]
    return tuple(sorted(in_order, key=lambda shortage: -shortage.nodes))  # stable, as Go's for few


def words(shortages: Shortages) -> str:
    """The shortages as ``docker service ps`` shows them."""
    parts = "; ".join(map(str, shortages))
    return f"no suitable node ({parts})" if parts else "no suitable node"
