"""The nodes as the scheduler keeps them in memory, and where one service's tasks could go.

``NodeInfo`` (manager/scheduler/nodeinfo.go): tasks from ASSIGNED to RUNNING take resources and host
ports, those told to shut down included; only tasks that are to run count as active.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from swarmctl.reading.times import unix_time
from swarmctl.scheduler.batch import Allocation, Kind, Rank, best_ranks
from swarmctl.scheduler.filters import Room, Shortages, capacity, explain, suits
from swarmctl.scheduler.tree import Branch, Path, build
from swarmctl.swarm.constraints import label
from swarmctl.swarm.model import HostPort, Service, Swarm, Task, same_spec
from swarmctl.swarm.node import Node, Resources

# scheduler.go: so many failures of a service within so many seconds make a node worse than others.
MAX_FAILURES = 5
MONITOR_FAILURES = 300.0

_FAILED = ("failed", "rejected")

# By service and index of the node.
Failures = dict[tuple[str, int], int]

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


class Leaf:
    """Nodes that compete for the same tasks, ranked once as they are in the beginning.

    Args:
        kinds: rank and capacity by node index.
    """

    def __init__(self, kinds: Mapping[int, Kind]) -> None:
        self.kinds = {i: kind for i, kind in kinds.items() if kind[1] > 0}
        by_rank: dict[Rank, list[int]] = {}
        for i, (rank, _) in self.kinds.items():
            by_rank.setdefault(rank, []).append(i)
        self._ranks = sorted(by_rank.items())

    def best(
        self, tasks: int, without: frozenset[int], changed: Mapping[int, Kind]
    ) -> dict[int, Kind]:
        """The candidates that so many tasks can reach, without looking at all the others.

        Args:
            tasks: to place.
            without: nodes that are lost.
            changed: nodes whose rank or capacity is another by now.
        """
        found = {i: kind for i, kind in changed.items() if i in self.kinds and i not in without}
        unchanged = 0
        for _, members in self._ranks:
            if unchanged >= tasks:
                break
            for i in members:
                if i not in changed and i not in without:
                    found[i] = self.kinds[i]
                    unchanged += 1
        return best_ranks(tasks, found)


@dataclass(slots=True)
class Field:
    """Where one batch may go; ``kinds`` are the nodes that differ from the beginning."""

    leaves: Mapping[Path, Leaf]
    tree: Branch
    down: frozenset[int]
    kinds: dict[int, Kind]

    def best(self, path: Path, tasks: int) -> dict[int, Kind]:
        """The candidates of a leaf of the tree (``()`` without preferences)."""
        return self.leaves[path].best(tasks, self.down, self.kinds)

    def put(self, allocation: Allocation) -> None:
        """Count tasks that were just placed."""
        for i, amount in allocation:
            (failures, of_service, total), capacity = self._kind(i)
            self.kinds[i] = ((failures, of_service + amount, total + amount), capacity - amount)

    def copy(self) -> Field:
        """An independent copy."""
        return Field(self.leaves, self.tree, self.down, dict(self.kinds))

    def _kind(self, index: int) -> Kind:
        if index in self.kinds:
            return self.kinds[index]
        return next(leaf.kinds[index] for leaf in self.leaves.values() if index in leaf.kinds)


class Board:
    """All nodes with their load in the beginning; searches share it, and what it remembers.

    Args:
        swarm: a snapshot.
        forget_failures: after a change of leader the new one knows of no failures.

    ``failures_in_doubt`` tells whether some failures may be from before the present leader led, and
    it matters.
    """

    def __init__(self, swarm: Swarm, *, forget_failures: bool = False) -> None:
        self.nodes = tuple(sorted(swarm.nodes, key=lambda n: (n.name, n.id)))
        self.services = {s.id: s for s in swarm.services}
        self.index = {node.id: place for place, node in enumerate(self.nodes)}
        self.columns = [_empty(node) for node in self.nodes]
        for task in swarm.tasks:
            place = self.index.get(task.node_id)
            if place is not None and task.occupies:
                self._add(self.columns[place], task)
        recent = _now(swarm) - MONITOR_FAILURES
        listed = {} if forget_failures else _failures(swarm, self.index, recent)
        known = _failures(swarm, self.index, _leads_since_at_most(swarm)) if listed else {}
        self._failures = {key: min(n, known.get(key, 0)) for key, n in listed.items()}
        self.failures_in_doubt = any(
            n >= MAX_FAILURES > self._failures[key] for key, n in listed.items()
        )
        self._last: tuple[Placed, dict[int, Column]] = ((), {})
        self._suited: dict[str, frozenset[int]] = {}
        self._fields: dict[str, tuple[dict[Path, Leaf], Branch]] = {}

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

    def field(self, service: Service, down: frozenset[int], placed: Placed) -> Field:
        """Where a batch of the service may go.

        Args:
            service: of the tasks.
            down: indices of nodes that are lost.
            placed: the batches placed so far.
        """
        base = self._fields.get(service.id)
        if base is None:
            base = self._fields[service.id] = self._base(service)
        leaves, tree = base
        changed = self.changed(placed)
        suited = self.suited(service)
        kinds = {i: self._kind(service, i, c) for i, c in changed.items() if i in suited}
        return Field(leaves, tree.plus(self._difference(service, down, placed)), down, kinds)

    def _base(self, service: Service) -> tuple[dict[Path, Leaf], Branch]:
        paths = {i: self._path(service, node) for i, node in enumerate(self.nodes)}
        kinds: dict[Path, dict[int, Kind]] = {path: {} for path in paths.values()}
        for i in self.suited(service):
            kinds[paths[i]][i] = self._kind(service, i, self.columns[i])
        active = {
            i: column.of_service[service.id]
            for i, column in enumerate(self.columns)
            if service.id in column.of_service
        }
        return {path: Leaf(found) for path, found in kinds.items()}, build(paths, active)

    def _path(self, service: Service, node: Node) -> Path:
        values = (label(node, descriptor) for descriptor in service.preferences)
        return tuple(value for value in values if value is not None)

    def _difference(
        self, service: Service, down: frozenset[int], placed: Placed
    ) -> dict[Path, int]:
        """Active tasks of a service by branch, against the start; lost nodes have none left."""
        found: dict[Path, int] = {}
        if not service.preferences:
            return found
        changes = [(i, -self.columns[i].of_service.get(service.id, 0)) for i in down]
        for service_id, allocation in placed:
            if service_id == service.id:
                changes += [item for item in allocation if item[0] not in down]
        for i, amount in changes:
            path = self._path(service, self.nodes[i])
            found[path] = found.get(path, 0) + amount
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
        if placed != self._last[0]:  # a search asks for every service in turn
            self._last = (placed, self._count(placed))
        return self._last[1]

    def _count(self, placed: Placed) -> dict[int, Column]:
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

    def why_pending(self, service: Service, down: frozenset[int], placed: Placed) -> Shortages:
        """Why a task of the service fits nowhere."""
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
        nano_cpus=node.resources.nano_cpus,
        memory_bytes=node.resources.memory_bytes,
        generic=dict(node.resources.generic),
    )


def _failures(swarm: Swarm, index: Mapping[str, int], since: float) -> Failures:
    """Failures since a moment, by service and node; those of global services do not count."""
    services = {s.id: s for s in swarm.services}
    counts: Failures = {}
    for task in swarm.tasks:
        if task.state not in _FAILED or task.node_id not in index:
            continue
        service = services.get(task.service_id)
        if service is None or service.is_global or not same_spec(task.spec, service.task_spec):
            continue
        if unix_time(task.updated_at) > since:
            key = (service.id, index[task.node_id])
            counts[key] = counts.get(key, 0) + 1
    return counts


def _leads_since_at_most(swarm: Swarm) -> float:
    """A moment when the present leader was leading already, in seconds since 1970; 0 if unknown.

    Failures are kept in the leader's memory only, and a new leader knows of none. No API tells
    since when it leads, but it starts by writing every node that is not down (dispatcher.go,
    markNodesUnknown): no live node's record is older than that.
    """
    return min((unix_time(node.updated_at) for node in swarm.nodes if node.live), default=0.0)


def _now(swarm: Swarm) -> float:
    """The moment of a snapshot, in seconds since 1970; its newest task's if it does not say."""
    if swarm.taken_at:
        return unix_time(swarm.taken_at)
    return max((unix_time(t.updated_at) for t in swarm.tasks), default=0.0)
