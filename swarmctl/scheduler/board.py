"""The nodes as the scheduler keeps them in memory, and where one service's tasks could go.

``NodeInfo`` (manager/scheduler/nodeinfo.go): tasks from ASSIGNED to RUNNING take resources and host
ports, those told to shut down included; only tasks that are to run count as active.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from swarmctl.scheduler.batch import Allocation, Kind
from swarmctl.scheduler.constraints import spread_value
from swarmctl.scheduler.filters import Room, capacity, explain, suits
from swarmctl.scheduler.snapshot import (
    STATE,
    HostPort,
    Node,
    Resources,
    Service,
    Snapshot,
    Task,
    seconds,
)

# scheduler.go: so many failures of a service within so many seconds make a node worse than others.
MAX_FAILURES = 5
MONITOR_FAILURES = 300.0

_FAILED = (STATE["failed"], STATE["rejected"])

# What a state of the search adds to the board: for each batch placed, its service and where.
Placed = tuple[tuple[str, Allocation], ...]


@dataclass(slots=True)
class Column:
    """One node's load."""

    active: int = 0
    of_service: dict[str, int] = field(default_factory=dict)
    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: dict[str, int] = field(default_factory=dict)
    ports: set[HostPort] = field(default_factory=set)

    def take(self, wanted: Resources, times: int = 1) -> None:
        """Subtract reservations from what is free."""
        self.nano_cpus -= wanted.nano_cpus * times
        self.memory_bytes -= wanted.memory_bytes * times
        for kind, amount in wanted.generic:
            self.generic[kind] = self.generic.get(kind, 0) - amount * times

    def copy(self) -> Column:
        """An independent copy."""
        return Column(
            self.active,
            dict(self.of_service),
            self.nano_cpus,
            self.memory_bytes,
            dict(self.generic),
            set(self.ports),
        )

    def room(self, service: Service) -> Room:
        """What the filters ask about it."""
        return Room(
            self.nano_cpus,
            self.memory_bytes,
            self.generic,
            frozenset(self.ports) if service.host_ports else frozenset(),
            self.of_service.get(service.id, 0),
        )


class Board:
    """All nodes with their load; unchanging once built, so that searches may share it.

    Args:
        snapshot: of the Swarm.
        forget_failures: after a change of leader the new one knows of no failures.
    """

    def __init__(self, snapshot: Snapshot, *, forget_failures: bool = False) -> None:
        self.nodes = snapshot.nodes
        self.services = snapshot.services_by_id()
        self.index = {node.id: place for place, node in enumerate(self.nodes)}
        self.columns = [_empty(node) for node in self.nodes]
        for task in snapshot.tasks:
            place = self.index.get(task.node_id)
            if place is not None and task.occupies:
                self._add(self.columns[place], task)
        self._failures = {} if forget_failures else _failures(snapshot, self.index)
        self._suited: dict[str, frozenset[int]] = {}
        self._kinds: dict[str, dict[int, Kind]] = {}
        self._paths: dict[str, dict[int, tuple[str, ...]]] = {}

    def _add(self, column: Column, task: Task) -> None:
        column.take(task.reservations)
        service = self.services.get(task.service_id)
        if service is not None and service.host_ports:
            column.ports |= service.host_ports
        if task.active:
            column.active += 1
            column.of_service[task.service_id] = column.of_service.get(task.service_id, 0) + 1

    def suited(self, service: Service) -> frozenset[int]:
        """The nodes that would take a task of the service if they were empty."""
        found = self._suited.get(service.id)
        if found is None:
            found = frozenset(i for i, node in enumerate(self.nodes) if suits(node, service))
            self._suited[service.id] = found
        return found

    def candidates(self, service: Service, down: frozenset[int], placed: Placed) -> dict[int, Kind]:
        """Rank and capacity of the nodes that may take a task of the service.

        Args:
            service: of the tasks.
            down: indices of nodes that are lost.
            placed: the batches placed so far.
        """
        base = self._kinds.get(service.id)
        if base is None:
            base = {i: self._kind(service, i, self.columns[i]) for i in self.suited(service)}
            base = {i: kind for i, kind in base.items() if kind[1] > 0}
            self._kinds[service.id] = base
        changed = self.changed(placed)
        found = {i: kind for i, kind in base.items() if i not in down}
        for i, column in changed.items():
            if i in found:
                found[i] = self._kind(service, i, column)
        return found

    def _kind(self, service: Service, place: int, column: Column) -> Kind:
        failures = self._failures.get((service.id, place), 0)
        rank = (
            failures if failures >= MAX_FAILURES else 0,
            column.of_service.get(service.id, 0),
            column.active,
        )
        return rank, capacity(service, column.room(service))

    def changed(self, placed: Placed) -> dict[int, Column]:
        """The columns of the nodes that batches were placed on, with those counted."""
        found: dict[int, Column] = {}
        for service_id, allocation in placed:
            service = self.services[service_id]
            for place, amount in allocation:
                column = found.get(place)
                if column is None:
                    column = found[place] = self.columns[place].copy()
                column.active += amount
                column.of_service[service_id] = column.of_service.get(service_id, 0) + amount
                if not service.reservations.empty:
                    column.take(service.reservations, amount)
                if service.host_ports:
                    column.ports |= service.host_ports
        return found

    def active(self, service: Service, down: frozenset[int], placed: Placed) -> dict[int, int]:
        """Active tasks of a service by node; a lost node's were all told to shut down."""
        counts = {
            i: amount
            for i, column in enumerate(self.columns)
            if (amount := column.of_service.get(service.id, 0)) and i not in down
        }
        for service_id, allocation in placed:
            if service_id == service.id:
                for place, amount in allocation:
                    if place not in down:
                        counts[place] = counts.get(place, 0) + amount
        return counts

    def paths(self, service: Service) -> dict[int, tuple[str, ...]]:
        """Where each node is in the tree of the service's preferences; empty without any."""
        found = self._paths.get(service.id)
        if found is None:
            found = {
                i: tuple(
                    value
                    for descriptor in service.preferences
                    if (value := spread_value(node, descriptor)) is not None
                )
                for i, node in enumerate(self.nodes)
            }
            self._paths[service.id] = found
        return found

    def why_pending(self, service: Service, down: frozenset[int], placed: Placed) -> str:
        """Swarm's words for a task of the service that fits nowhere."""
        changed = self.changed(placed)
        return explain(
            service,
            (
                (
                    _as_down(node) if i in down else node,
                    changed.get(i, self.columns[i]).room(service),
                )
                for i, node in enumerate(self.nodes)
            ),
        )


def _as_down(node: Node) -> Node:

    return replace(node, state="down")


def _empty(node: Node) -> Column:
    return Column(
        nano_cpus=node.total.nano_cpus,
        memory_bytes=node.total.memory_bytes,
        generic=dict(node.total.generic),
    )


def _failures(snapshot: Snapshot, index: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """Recent failures by service and node; those of global services do not count."""
    failed = [t for t in snapshot.tasks if t.state in _FAILED and t.node_id in index]
    return _count(failed, snapshot, index) if failed else {}


def _count(
    failed: Iterable[Task], snapshot: Snapshot, index: Mapping[str, int]
) -> dict[tuple[str, int], int]:
    services, since = snapshot.services_by_id(), snapshot.now() - MONITOR_FAILURES
    counts: dict[tuple[str, int], int] = {}
    for task in failed:
        service = services.get(task.service_id)
        if service is None or service.is_global or task.spec != service.template:
            continue
        if seconds(task.timestamp) > since:
            key = (service.id, index[task.node_id])
            counts[key] = counts.get(key, 0) + 1
    return counts
