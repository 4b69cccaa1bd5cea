"""Where every task ends up when some nodes are lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

from swarmctl.prediction.prediction import Counts, Gone, Loss, Outcome, Prediction
from swarmctl.prediction.quorum import quorum_without
from swarmctl.prediction.search import Chance, Everything, Search, State, Tally, add, tally
from swarmctl.reading.times import unix_time
from swarmctl.scheduler.batch import TooManyError
from swarmctl.scheduler.board import Board
from swarmctl.scheduler.filters import Shortages
from swarmctl.scheduler.restart import Displaced, History, displaced
from swarmctl.swarm.model import Swarm, Task

# Bounds of the exhaustive search: outcomes, and batches placed (about 25,000 a second; a batch in a
# big Swarm counts for more). Beyond them outcomes are drawn at random.
MAX_OUTCOMES = 30_000
MAX_WORK = 150_000
# The most (service, node) pairs in all outcomes together: big Swarms get fewer outcomes.
MAX_ENTRIES = 1_000_000
MAX_DRAWN_ENTRIES = 300_000
MIN_OUTCOMES = 20

# How many outcomes are drawn when there are too many to list.
DRAWS, MIN_DRAWS = 2_000, 20
DRAW_WORK = 400_000
SEED = 1

# One transaction of the orchestrator holds 200 changes, two for each task (state/store/memory.go);
# more tasks than this come in several, which the scheduler may place in several ticks.
ONE_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is searched before outcomes are drawn instead."""

    outcomes: int = MAX_OUTCOMES
    work: int = MAX_WORK
    draws: int = DRAWS
    seed: int = SEED


class Predictor:
    """Predicts losses from one snapshot; several predictions share the work.

    Args:
        swarm: the Swarm before.
    """

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.board = Board(swarm)
        self.nodes = self.board.nodes
        self._leaderless: Board | None = None
        self._tasks: dict[str, list[Task]] = {n.id: [] for n in self.nodes}
        for task in swarm.tasks:
            if task.node_id:
                self._tasks.setdefault(task.node_id, []).append(task)
        self._services = self.board.services
        self._history = History(swarm)
        self._pending_tasks = tuple(t for t in swarm.tasks if self._is_pending(t))
        self._pending_global = tuple(t for t in swarm.tasks if self._is_pending_global(t))
        self._names = [node.name for node in self.nodes]
        self._already_invalid = frozenset(
            place for place, node in enumerate(self.nodes) if node.invalid
        )
        self._already_displaced = self._displaced(filter(self._is_displaced_already, swarm.tasks))

    def _displaced(self, tasks: Iterable[Task]) -> Displaced:
        return displaced(tasks, self._services, self._history)

    def predict(self, lost: Iterable[str], bounds: Bounds | None = None) -> Prediction:
        """What happens when these nodes die at the same moment.

        Managers may notice the deaths in any order, one by one or several at once; the outcomes
        cover all of these.

        Args:
            lost: ids of nodes.
            bounds: of the search.

        Raises:
            KeyError: an id is not of this Swarm.
        """
        places = frozenset(self.board.index[node_id] for node_id in lost)
        bounds = self._lowered(bounds or Bounds())
        loss, taken = self.loss(places)
        if not loss.quorum:
            return self._standstill(loss, places, taken)
        board = self._board(loss)
        try:
            search = Search(board, Everything(bounds.outcomes, bounds.work))
            states = set[State]()
            for stages in _stages(places):
                states |= self._run(search, stages)
                if len(states) > bounds.outcomes:
                    raise TooManyError
            certain = _certain(loss) and not board.failures_in_doubt
            return self._prediction(board, loss, places, states, None, certain)
        except TooManyError:
            states = self._draw(board, places, bounds)
            return self._prediction(board, loss, places, states, bounds.seed, False)

    def sketch(self, lost: Iterable[str], draws: int, seed: int = SEED) -> Prediction:
        """A cheap :meth:`predict`: a few outcomes drawn, for looking at many nodes in turn."""
        places = frozenset(self.board.index[node_id] for node_id in lost)
        loss, taken = self.loss(places)
        if not loss.quorum:
            return self._standstill(loss, places, taken)
        board = self._board(loss)
        states = self._draw(board, places, Bounds(draws=draws, seed=seed), fewest=1)
        return self._prediction(board, loss, places, states, seed, False, brief=True)

    def waiting_now(self) -> Counter[str]:
        """Tasks that are pending now, by service."""
        tasks = (*self._pending_tasks, *self._pending_global)
        return Counter(self._services[t.service_id].name for t in tasks)

    def active_on(self, node_id: str) -> int:
        """Tasks that are to run on a node and have not ended."""
        return self.board.columns[self.board.index[node_id]].active

    def _board(self, loss: Loss) -> Board:
        if not loss.leader:
            return self.board
        if self._leaderless is None:  # a new leader's scheduler has seen no failures
            self._leaderless = Board(self.swarm, forget_failures=True)
        return self._leaderless

    def _lowered(self, bounds: Bounds) -> Bounds:
        """The bounds, lowered where each outcome has many entries."""
        entries = max(1, len(self.swarm.tasks))
        listed = max(MIN_OUTCOMES, MAX_ENTRIES // entries)
        drawn = max(MIN_OUTCOMES, MAX_DRAWN_ENTRIES // entries)
        return replace(
            bounds, outcomes=min(bounds.outcomes, listed), draws=min(bounds.draws, drawn)
        )

    def loss(self, places: frozenset[int]) -> tuple[Loss, Displaced]:
        """What the loss of nodes (by index) does to their tasks, before anything is replaced."""
        nodes = [self.nodes[place] for place in sorted(places)]
        taken = self._displaced(t for n in nodes for t in self._tasks[n.id])
        gone = {task.service_id: reason for task, reason in taken.lost}
        lost = self._tally(task for task, _ in taken.lost)
        return Loss(
            nodes=tuple(n.name for n in nodes),
            moved=self._tally((*taken.prompt, *taken.late)),
            gone={
                self._services[key].name: Gone(
                    lost[self._services[key].name], why, self._services[key].restart
                )
                for key, why in gone.items()
            },
            ended=self._tally(taken.ended),
            quorum=quorum_without(self.swarm, {n.id for n in nodes}).kept,
            leader=any(n.leader for n in nodes),
        ), taken

    def _tally(self, tasks: Iterable[Task]) -> dict[str, int]:
        return dict(sorted(Counter(self._services[t.service_id].name for t in tasks).items()))

    def _run(self, search: Search, stages: Sequence[frozenset[int]]) -> set[State]:
        """The states after the managers have noticed the deaths in these stages."""
        first = self._already_displaced
        delayed = tally(Counter(t.service_id for t in first.late))
        states = {replace(state, late=delayed) for state in search.follow.some(self._starts())}
        down, batches = self._already_invalid, Counter(t.service_id for t in first.prompt)
        for nodes in stages:
            tasks = [t for i in nodes for t in self._tasks[self.nodes[i].id]]
            taken = self._displaced(tasks)
            down |= nodes
            batches += Counter(t.service_id for t in taken.prompt)
            late = Counter(t.service_id for t in taken.late)
            if late:
                states = {_with_late(state, late) for state in states}
            states = search.go_down(states, nodes, down, batches)
            batches = Counter()
        return search.catch_up(states, down)

    def _starts(self) -> list[State]:
        """The states that are possible now.

        A task that was pending when its service was updated is of an old revision: it fails once
        more and then leaves the queue (``noSuitableNode``, scheduler.go), even if there is room
        later. The API does not show whether that has happened.
        """
        all_of_them = Counter(t.service_id for t in self._pending_tasks)
        old = Counter(
            t.service_id
            for t in self._pending_tasks
            if unix_time(t.created_at) < unix_time(self._services[t.service_id].updated_at)
        )
        starts = [State(waiting=tally(all_of_them))]
        if old:
            starts.append(State(waiting=tally(all_of_them - old), stuck=tally(old)))
        return starts

    def _is_displaced_already(self, task: Task) -> bool:
        """Whether it is replaced in any case: it has failed, or its node is dead already."""
        service = self._services.get(task.service_id)
        if service is None or service.is_global:
            return False
        place = self.board.index.get(task.node_id)
        if task.node_id and (place is None or place in self._already_invalid):
            return True
        return task.ended and task.meant_to_run and not service.is_job

    def _is_pending(self, task: Task) -> bool:
        """Whether it is pending."""
        service = self._services.get(task.service_id)
        if service is None or service.is_global or task.node_id:
            return False
        return task.unscheduled and task.meant_to_finish

    def _is_pending_global(self, task: Task) -> bool:
        """Whether it is pending on the node of its global service, for lack of room."""
        known = task.service_id in self._services
        return known and bool(task.node_id) and task.unscheduled and task.meant_to_finish

    def _draw(
        self, board: Board, places: frozenset[int], bounds: Bounds, fewest: int = MIN_DRAWS
    ) -> set[State]:
        rng = Random(bounds.seed)  # noqa: S311 - a simulation, not a secret
        services = {t.service_id for i in places for t in self._tasks[self.nodes[i].id]}
        affordable = DRAW_WORK // (len(self.nodes) * max(1, len(services)))
        orders = list(_stages(places, rng))
        states = set[State]()
        for turn in range(max(fewest, min(bounds.draws, affordable))):
            search = Search(board, Chance(rng))
            states |= self._run(search, orders[turn % len(orders)])
        return states

    def _prediction(
        self,
        board: Board,
        loss: Loss,
        places: frozenset[int],
        states: Iterable[State],
        seed: int | None,
        exhaustive: bool,
        *,
        brief: bool = False,
    ) -> Prediction:
        merged = {replace(s, waiting=_pending(s), stuck=()) for s in states}
        unique = sorted(merged, key=lambda s: (s.placed, s.waiting))
        rest = {} if brief else self._running(places)
        return Prediction(
            loss=loss,
            before={} if brief else self._running(frozenset()),
            outcomes=tuple(self._outcome(state, rest, places) for state in unique),
            exhaustive=exhaustive,
            shortages=self._shortages(board, unique, places),
            seed=seed,
        )

    def _outcome(self, state: State, rest: Counts, places: frozenset[int]) -> Outcome:
        counts = dict(rest)
        for service_id, allocation in state.placed:
            name = self._services[service_id].name
            new = {self._names[place]: amount for place, amount in allocation}
            counts[name] = dict(sorted(add(counts.get(name, {}), new).items()))
        pending = Counter({self._services[key].name: n for key, n in state.waiting})
        pending.update(self._stuck(places))
        return Outcome(counts, dict(sorted(pending.items())))

    def _stuck(self, places: frozenset[int]) -> Counter[str]:
        """Tasks of global services that are pending on the remaining nodes."""
        dead = {self.nodes[i].id for i in places | self._already_invalid}
        return Counter(
            self._services[t.service_id].name for t in self._pending_global if t.node_id not in dead
        )

    def _shortages(
        self, board: Board, states: Iterable[State], places: frozenset[int]
    ) -> dict[str, tuple[Shortages, ...]]:
        down = places | self._already_invalid
        found: dict[str, dict[Shortages, None]] = {}
        seen: set[tuple[object, str]] = set()
        for state in states:
            for service_id, _ in state.waiting:
                if (state.placed, service_id) in seen or len(seen) > 200:
                    continue
                seen.add((state.placed, service_id))
                service = self._services[service_id]
                why = board.why_pending(service, down, state.placed)
                found.setdefault(service.name, {})[why] = None
        return {name: tuple(ways) for name, ways in sorted(found.items())}

    def _running(self, without: frozenset[int]) -> dict[str, dict[str, int]]:
        """Tasks that run or are about to on the remaining nodes, by service and node."""
        counts: dict[str, dict[str, int]] = {s.name: {} for s in self._services.values()}
        for place, node in enumerate(self.nodes):
            if place in without or place in self._already_invalid:
                continue
            for task in self._tasks[node.id]:
                service = self._services.get(task.service_id)
                if service is None:
                    continue
                # A failed task of a global service starts again where it is.
                again = service.is_global and task.meant_to_run and task.ended
                if task.active or again:
                    per_node = counts[service.name]
                    per_node[node.name] = per_node.get(node.name, 0) + 1
        return dict(sorted(counts.items()))

    def _standstill(self, loss: Loss, places: frozenset[int], taken: Displaced) -> Prediction:
        """Without a quorum nothing is replaced; tasks elsewhere keep running."""
        missing = self._tally((*taken.prompt, *taken.late, *(task for task, _ in taken.lost)))
        pending = Counter(missing)
        pending.update(self._services[t.service_id].name for t in self._pending_tasks)
        outcome = Outcome(self._running(places), dict(sorted(pending.items())))
        return Prediction(
            loss=loss,
            before=self._running(frozenset()),
            outcomes=(outcome,),
            exhaustive=True,
        )


def _certain(loss: Loss) -> bool:
    """Whether the outcomes cover every order of events; see docs/prediction.md.

    After an election, nodes that are slow to register with the new leader get no tasks.
    """
    together = sum(loss.moved.values()) <= ONE_TRANSACTION
    return together and len(loss.nodes) < 3 and not loss.leader


def _pending(state: State) -> Tally:
    return tally(add(dict(state.waiting), dict(state.stuck)))


def _with_late(state: State, late: Mapping[str, int]) -> State:
    return replace(state, late=tally(add(dict(state.late), late)))


def _stages(places: frozenset[int], rng: Random | None = None) -> Iterator[list[frozenset[int]]]:
    """The orders in which deaths may be noticed: every sequence of groups.

    With many nodes there are too many (13 for three, 75 for four): then some are drawn.
    """
    if len(places) <= 3 or rng is None:
        if len(places) > 5:
            raise TooManyError
        yield from _sequences(places)
        return
    yield [places]
    for _ in range(20):
        order = sorted(places)
        rng.shuffle(order)
        cuts = sorted(rng.sample(range(1, len(order)), rng.randrange(len(order))))
        yield [frozenset(order[a:b]) for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def _sequences(places: frozenset[int]) -> Iterator[list[frozenset[int]]]:
    if not places:
        yield []
        return
    for size in range(len(places), 0, -1):
        for first in combinations(sorted(places), size):
            for rest in _sequences(places - frozenset(first)):
                yield [frozenset(first), *rest]
