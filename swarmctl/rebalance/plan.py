"""Which replicas to move, and which services to leave alone: pure, from one snapshot of the Swarm.

A move is what Swarm does when a service gets one replica more and then one less: the scheduler
chooses the node of the new one (manager/scheduler), and a replica is removed from the node that has
most (manager/orchestrator/replicated/services.go, reconcile). Each move makes the sum of the
squares of the counts smaller, so the moves come to an end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from swarmctl.reading.names import unknown
from swarmctl.scheduler.board import MAX_FAILURES, Board, Column
from swarmctl.scheduler.filters import capacity, explain, words
from swarmctl.swarm.model import Service, Swarm

_UNFINISHED = ("updating", "paused", "rollback_started", "rollback_paused")

# Two nodes are uneven when their counts differ by this many; a move cannot improve a smaller gap.
_UNEVEN = 2


@dataclass(frozen=True, slots=True)
class Move:
    """One replica from one node to another, by name."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The moves for one service.

    Attributes:
        service: its name.
        id: its id.
        stack: the stack it belongs to, or ``""``.
        replicas: how many are wanted.
        before: replicas by node, of every node that could take one or has one; empty when the
            service is left alone.
        suited: the nodes that could take a replica if they had room.
        moves: in this order; Swarm may break ties in another way.
        reason: why the service is left alone, or cannot become even; ``""`` when it is even.
    """

    service: str
    id: str
    stack: str
    replicas: int
    before: Mapping[str, int] = field(default_factory=dict)
    suited: frozenset[str] = frozenset()
    moves: tuple[Move, ...] = ()
    reason: str = ""

    @property
    def after(self) -> dict[str, int]:
        """Replicas by node after all moves."""
        counts = Counter(self.before)
        counts.subtract(move.source for move in self.moves)
        counts.update(move.target for move in self.moves)
        return {node: counts[node] for node in self.before}

    def spread(self, counts: Mapping[str, int]) -> int:
        """The most minus the fewest replicas, among the nodes that could take one."""
        found = [counts.get(node, 0) for node in self.suited] or [0]
        return max(found) - min(found)


def unevenness(counts: Mapping[str, int]) -> int:
    """The sum of the squares, which every move makes smaller."""
    return sum(count * count for count in counts.values())


def propose(swarm: Swarm, names: Iterable[str] = ()) -> list[Proposal]:
    """The moves for each service, sorted by name; a later service's follow the earlier ones'.

    Args:
        swarm: a snapshot, with the managers' time.
        names: names or ids of services; none for all of them.

    Raises:
        UsageError: there is no service of such a name.
    """
    services = swarm.services
    if chosen := set(names):
        for name in chosen:
            if swarm.service_by_name(name) is None:
                raise unknown("service", name, [s.name for s in services])
        services = tuple(s for s in services if chosen & {s.name, s.id})
    load = _Load(swarm)
    return [_proposal(load, service, swarm) for service in services]


def _proposal(load: _Load, service: Service, swarm: Swarm) -> Proposal:
    empty = Proposal(service.name, service.id, service.stack, service.replicas)
    if reason := _why_left_alone(service, swarm):
        return replace(empty, reason=reason)
    before = load.counts(service)
    suited = frozenset(load.names[i] for i in load.board.suited(service))
    moves, reason = load.even_out(service)
    return replace(empty, before=before, suited=suited, moves=tuple(moves), reason=reason)


def _why_left_alone(service: Service, swarm: Swarm) -> str:
    """Why a service is not touched, or ``""``."""
    if service.is_job:
        return "a job: its tasks end by themselves"
    if service.is_global:
        return "global: Swarm keeps one task on each node"
    if service.replicas < 2:
        return "fewer than two replicas"
    if stays := [m for m in service.mounts if m.stays_behind]:
        kind = "path" if stays[0].kind == "bind" else "volume"
        return (
            f"the {kind} {stays[0].source or '(anonymous)'} is local to its node: data would stay"
        )
    if any(m.kind == "cluster" for m in service.mounts):
        return "cluster (CSI) volumes: not known whether they can move"
    if service.preferences:
        return (
            "placement preferences: Swarm applies them when it adds a replica, "
            "but not when it removes one"
        )
    return _unsettled(service, swarm)


def _unsettled(service: Service, swarm: Swarm) -> str:
    if service.update_state in _UNFINISHED:
        return f"its update is not finished: {service.update_state.replace('_', ' ')}"
    serving = swarm.serving(service)
    if any(not service.is_current(task) for task in serving):
        return "some of its tasks are still of an older version"
    if (running := swarm.running(service)) != service.replicas or len(serving) != service.replicas:
        return f"not at full strength: {running} of {service.replicas} replicas run"
    return ""


class _Load:
    """The load of all nodes, updated by every planned move."""

    def __init__(self, swarm: Swarm) -> None:
        self.board = Board(swarm)
        self.nodes = self.board.nodes
        self.names = [node.name for node in self.nodes]
        self.columns = [column.copy() for column in self.board.columns]

    def counts(self, service: Service) -> dict[str, int]:
        """Replicas by node, of every node that could take one or has one."""
        places = self.board.suited(service) | {
            i for i, column in enumerate(self.columns) if column.of_service.get(service.id)
        }
        return {self.names[i]: self._count(service, i) for i in sorted(places)}

    def even_out(self, service: Service) -> tuple[list[Move], str]:
        """Moves until the service is even or cannot become more even; and why it cannot."""
        suited = self.board.suited(service)
        failures = self._failures(service)
        moves: list[Move] = []
        while len(suited) > 1:
            counts = {i: self._count(service, i) for i in suited}
            if max(counts.values()) - min(counts.values()) < _UNEVEN:
                break
            source = max(range(len(self.nodes)), key=lambda i: (self._count(service, i), -i))
            target = self._target(service, failures)
            gap = 0 if target is None else self._count(service, source) - counts[target]
            if target is None or gap < _UNEVEN:
                return moves, self._why_not(service, counts, failures)
            self._put(service, self.columns[target], 1)
            self._put(service, self.columns[source], -1)
            moves.append(Move(self.names[source], self.names[target]))
        return moves, ""

    def _count(self, service: Service, place: int) -> int:
        return self.columns[place].of_service.get(service.id, 0)

    def _failures(self, service: Service) -> dict[int, int]:
        """Failures by node, of nodes that the scheduler avoids because of them."""
        kinds = self.board.field(service, frozenset(), ()).leaves.values()
        return {i: rank[0] for leaf in kinds for i, (rank, _) in leaf.kinds.items() if rank[0]}

    def _target(self, service: Service, failures: Mapping[int, int]) -> int | None:
        """The node on which the scheduler puts the next replica; the first of equal ones."""
        room = [
            i
            for i in self.board.suited(service)
            if capacity(service, self.columns[i].room(service)) > 0
        ]

        def rank(i: int) -> tuple[int, int, int, str]:
            of_service = self._count(service, i)
            return failures.get(i, 0), of_service, self.columns[i].active, self.names[i]

        return min(room, key=rank, default=None)

    def _put(self, service: Service, column: Column, times: int) -> None:
        column.active += times
        column.of_service[service.id] = column.of_service.get(service.id, 0) + times
        column.take(service.reservations, times)
        if times > 0:
            column.ports |= service.host_ports
        else:
            column.ports -= service.host_ports

    def _why_not(
        self, service: Service, counts: Mapping[int, int], failures: Mapping[int, int]
    ) -> str:
        poor = [i for i, n in counts.items() if max(counts.values()) - n >= _UNEVEN]
        names = ", ".join(sorted(self.names[i] for i in poor))
        full = [i for i in poor if capacity(service, self.columns[i].room(service)) == 0]
        if full:
            rooms = ((self.nodes[i], self.columns[i].room(service)) for i in full)
            return f"not even: {names} cannot take more: {words(explain(service, rooms))}"
        if any(i in failures for i in poor):
            return (
                f"not even: Swarm avoids {names}, where tasks of the service have failed "
                f"{MAX_FAILURES} times within 5 minutes"
            )
        return f"not even: Swarm would put the next replica on another node than {names}"
