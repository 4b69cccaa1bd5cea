"""Every way in which Swarm may replace the tasks of lost nodes; or some, drawn from a seed.

One scheduler tick places all waiting tasks: those of one service (and spec version) together, the
services in the order of a Go map (``tick``, manager/scheduler/scheduler.go). Each batch sees what
the ones before it took. So the order of services and the order of equal nodes make a set of
outcomes, searched breadth-first here with equal states merged.

docs/prediction.md tells which events can come apart in time, and which cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol, TypeVar

from swarmctl.scheduler.batch import (
    Allocation,
    Kind,
    Picker,
    TooManyError,
    allocations,
    explore,
    random_allocation,
)
from swarmctl.scheduler.board import Board, Field, Placed
from swarmctl.scheduler.tree import Spread

T = TypeVar("T")

# Tasks of each service, by its id; without zeros, sorted.
Tally = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class State:
    """One possible state of the Swarm during the search.

    Attributes:
        placed: new tasks by service and node index.
        waiting: pending tasks, which are tried again whenever a node changes.
        late: tasks that are replaced when an earlier restart's delay is over.
        stuck: pending tasks that are not tried again.
    """

    placed: Placed = ()
    waiting: Tally = ()
    late: Tally = ()
    stuck: Tally = ()

    def with_batch(self, service_id: str, allocation: Allocation, waiting: int) -> State:
        """The state after a batch."""
        placed = self.placed
        if allocation:
            already = dict(placed)
            already[service_id] = _sum(already.get(service_id, ()), allocation)
            placed = tuple(sorted(already.items()))
        left = tally(dict(self.waiting) | {service_id: waiting}) if waiting else self.waiting
        return State(placed, left, self.late, self.stuck)


def tally(counts: Mapping[str, int]) -> Tally:
    """Counts in the one form that compares."""
    return tuple(sorted((key, n) for key, n in counts.items() if n))


def _sum(one: Iterable[tuple[int, int]], other: Iterable[tuple[int, int]]) -> Allocation:
    total = dict(one)
    for place, amount in other:
        total[place] = total.get(place, 0) + amount
    return tuple(sorted((place, n) for place, n in total.items() if n))


def add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Counts added up."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


class Follow(Protocol):
    """Which of several possibilities the search follows: all, or one drawn at random."""

    def some(self, options: Sequence[T]) -> Sequence[T]:
        """The options to go on with."""

    def place(self, tasks: int, on: Field) -> Iterable[Allocation]:
        """Placements of a batch."""

    def check(self, states: int, work: int) -> None:
        """Called with the number of states and the work just done; may end the search."""


class Everything:
    """Follow every possibility.

    Args:
        max_states: the most states at any point, and so the most outcomes.
        max_work: the most batches placed; one counts for more where there are many nodes.

    Raises:
        TooManyError: from any method, when a bound is passed.
    """

    def __init__(self, max_states: int, max_work: int) -> None:
        self._max_states = max_states
        self._work_left = max_work
        self._known: dict[object, tuple[Allocation, ...]] = {}

    def some(self, options: Sequence[T]) -> Sequence[T]:
        """All."""
        return options

    def place(self, tasks: int, on: Field) -> Iterable[Allocation]:
        """All."""
        if not on.tree.branches:
            return self._flat(tasks, on.best((), tasks))
        found: set[Allocation] = set()
        for allocation in explore(lambda pick: self._run(tasks, on.copy(), pick)):
            found.add(allocation)
            self.check(len(found), 1)
        return sorted(found)

    def _flat(self, tasks: int, nodes: Mapping[int, Kind]) -> tuple[Allocation, ...]:
        """All ways on one set of nodes; many states of a search ask for the same."""
        key = (tasks, tuple(sorted(nodes.items())))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = allocations(tasks, nodes, self._max_states)
        return found

    def _run(self, tasks: int, on: Field, pick: Picker) -> Allocation:
        def leaf(n: int, nodes: Mapping[int, Kind]) -> Allocation:
            options = self._flat(n, nodes)
            return options[pick([1] * len(options))] if len(options) > 1 else options[0]

        return Spread(on, leaf, pick).place(tasks, on.tree)

    def check(self, states: int, work: int) -> None:
        """Keep within the bounds."""
        self._work_left -= work
        if states > self._max_states or self._work_left < 0:
            raise TooManyError


class Chance:
    """Follow one possibility at a time, drawn from a seed."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def some(self, options: Sequence[T]) -> Sequence[T]:
        """One."""
        return [self._rng.choice(options)]

    def place(self, tasks: int, on: Field) -> Iterable[Allocation]:
        """One."""
        if not on.tree.branches:
            return [random_allocation(tasks, on.best((), tasks), self._rng)]
        spread = Spread(
            on,
            lambda n, nodes: random_allocation(n, nodes, self._rng),
            lambda weights: self._rng.randrange(len(weights)),
        )
        return [spread.place(tasks, on.tree)]

    def check(self, states: int, work: int) -> None:
        """No bound."""


class Search:
    """Places batches on a board.

    Args:
        board: the Swarm before.
        follow: which possibilities to look into.
    """

    def __init__(self, board: Board, follow: Follow) -> None:
        self._board = board
        self.follow = follow

    def tick(
        self, states: Iterable[State], batches: Mapping[str, int], down: frozenset[int]
    ) -> set[State]:
        """Place new tasks, and those that wait, in one tick of the scheduler.

        Args:
            states: before.
            batches: new tasks by service id.
            down: indices of lost nodes.
        """
        found: set[State] = set()
        for state in states:
            sizes = {key: n for key, n in add(dict(state.waiting), batches).items() if n}
            found |= self._in_any_order(replace(state, waiting=()), sizes, down)
        return found

    def _in_any_order(
        self, start: State, sizes: Mapping[str, int], down: frozenset[int]
    ) -> set[State]:
        frontier = {(start, frozenset(sizes))}
        cost = 1 + len(self._board.nodes) // 50
        for _ in sizes:
            following: set[tuple[State, frozenset[str]]] = set()
            for state, left in frontier:
                for service_id in self.follow.some(sorted(left)):
                    rest = left - {service_id}
                    after = self._batch(state, service_id, sizes[service_id], down)
                    following |= {(each, rest) for each in after}
                    self.follow.check(len(following), cost)
            frontier = following
        return {state for state, _ in frontier}

    def _batch(
        self, state: State, service_id: str, tasks: int, down: frozenset[int]
    ) -> Iterator[State]:
        field = self._board.field(self._board.services[service_id], down, state.placed)
        for allocation in self.follow.place(tasks, field):
            missing = tasks - sum(amount for _, amount in allocation)
            yield state.with_batch(service_id, allocation, missing)

    def go_down(
        self,
        states: Iterable[State],
        nodes: frozenset[int],
        down: frozenset[int],
        batches: Mapping[str, int],
    ) -> set[State]:
        """Some more nodes are found dead: their tasks, and new ones put there, are replaced.

        A task that was put there by an earlier replacement starts after the restart delay. If that
        is over, it is replaced with the others; else when it is over.

        Args:
            states: before.
            nodes: indices of the nodes found dead now.
            down: all the nodes found dead so far, these included.
            batches: tasks to replace that these nodes had in the beginning.
        """
        found: set[State] = set()
        for state in states:
            cleared, stranded = _clear(state, nodes)
            if not stranded:
                found |= self.tick([cleared], batches, down)
                continue
            for at_once in self.follow.some([True, False]):
                if at_once:
                    found |= self.tick([cleared], add(batches, stranded), down)
                else:
                    later = replace(cleared, late=tally(add(dict(state.late), stranded)))
                    found |= self.tick([later], batches, down)
        return found

    def catch_up(self, states: Iterable[State], down: frozenset[int]) -> set[State]:
        """Replace the late tasks: each on its own timer, so together or in any portions."""
        frontier, done = set(states), set[State]()
        while frontier:
            done |= {state for state in frontier if not state.late}
            following: set[State] = set()
            for state in frontier - done:
                options = [(key, n) for key, most in state.late for n in range(1, most + 1)]
                for service_id, n in self.follow.some(options):
                    late = tally(add(dict(state.late), {service_id: -n}))
                    following |= self.tick([replace(state, late=late)], {service_id: n}, down)
                    self.follow.check(len(following) + len(done), 0)
            frontier = following
        return done


def _clear(state: State, nodes: frozenset[int]) -> tuple[State, dict[str, int]]:
    """Take what was placed on some nodes off them; how many tasks of each service that were."""
    stranded: dict[str, int] = {}
    kept: list[tuple[str, Allocation]] = []
    for service_id, allocation in state.placed:
        off = sum(amount for place, amount in allocation if place in nodes)
        if off:
            stranded[service_id] = off
            allocation = tuple(item for item in allocation if item[0] not in nodes)
        if allocation:
            kept.append((service_id, allocation))
    return replace(state, placed=tuple(kept)), stranded
