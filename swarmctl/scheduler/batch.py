"""One batch of equal tasks onto one set of nodes: SwarmKit's rule, which is not greedy.

``scheduleNTasksOnNodes`` (manager/scheduler/scheduler.go) sorts the nodes once, best first, and
walks along them: it goes to the next node only when that one is *now* strictly better, never looks
back, and after the last one goes round and round. ``nodeset.go`` and ``nodeheap.go`` keep only the
best k nodes for k tasks; no task can ever reach another, so that heap needs no model of its own.

Nodes that compare equal come in the order of a Go map: any order. So the result is a *set*.
Two nodes with the same rank and capacity are interchangeable, and only those differences are
searched; names are put in at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb, prod
from random import Random
from typing import TypeVar

T = TypeVar("T")

# (failures if at least five else 0, active tasks of the service, active tasks): less is better.
Rank = tuple[int, int, int]

# How many tasks went to the nodes of a class: the counts, sorted, without zeros.
Shares = tuple[int, ...]

# Node index → tasks, without zeros, sorted.
Allocation = tuple[tuple[int, int], ...]


class TooManyError(Exception):
    """There are more outcomes than are worth listing."""


# Equal ranks and equal capacities: (rank, capacity) with how many nodes are like that.
Kind = tuple[Rank, int]


def allocations(tasks: int, nodes: Mapping[int, Kind], limit: int) -> tuple[Allocation, ...]:
    """Every way in which a batch may be placed.

    Args:
        tasks: how many there are.
        nodes: rank and capacity by node index; those with no capacity are not candidates.
        limit: the most results wanted.

    Returns:
        Distinct allocations. They all place the same number, less than ``tasks`` if no more fit.

    Raises:
        TooManyError: there are more than ``limit``.
    """
    members = _members(tasks, nodes)
    kinds = tuple(sorted((kind, len(who)) for kind, who in members.items()))
    patterns = _patterns(tasks, kinds)
    if sum(_ways(pattern, kinds) for pattern in patterns) > limit:
        raise TooManyError
    found = {named for pattern in patterns for named in _named(pattern, kinds, members)}
    return tuple(sorted(found))


def random_allocation(tasks: int, nodes: Mapping[int, Kind], rng: Random) -> Allocation:
    """One way in which a batch may be placed."""
    members = _members(tasks, nodes)
    kinds = tuple(sorted((kind, len(who)) for kind, who in members.items()))
    pattern = _walk(tasks, kinds, lambda options: _weighted(options, rng))
    placed: list[tuple[int, int]] = []
    for (kind, _), shares in zip(kinds, pattern, strict=True):
        placed += zip(rng.sample(members[kind], len(shares)), shares, strict=True)
    return tuple(sorted(placed))


def _members(tasks: int, nodes: Mapping[int, Kind]) -> dict[Kind, list[int]]:
    """The nodes by kind, no more ranks than the tasks can reach (the heap is full of better ones).

    A capacity beyond the number of tasks makes no difference, so it is cut to that.
    """
    members: dict[Kind, list[int]] = {}
    for index, (rank, capacity) in best_ranks(tasks, nodes).items():
        members.setdefault((rank, min(capacity, tasks)), []).append(index)
    return members


def best_ranks(tasks: int, nodes: Mapping[int, Kind]) -> dict[int, Kind]:
    """The candidates that so many tasks can reach: whole ranks, the best first."""
    by_rank: dict[Rank, list[int]] = {}
    for index, (rank, capacity) in nodes.items():
        if capacity > 0:
            by_rank.setdefault(rank, []).append(index)
    found: dict[int, Kind] = {}
    for rank in sorted(by_rank):
        if len(found) >= tasks:
            break
        found |= {index: nodes[index] for index in by_rank[rank]}
    return found


Kinds = tuple[tuple[Kind, int], ...]
Pattern = tuple[Shares, ...]  # one entry a kind


@lru_cache(maxsize=65536)
def _patterns(tasks: int, kinds: Kinds) -> tuple[Pattern, ...]:
    """The outcomes with nodes of a kind not told apart, by trying every choice of the walk."""
    return tuple(sorted(set(explore(lambda pick: _walk(tasks, kinds, pick)))))


# Chooses among kinds that might come next, each with how many such nodes are left.
Picker = Callable[[Sequence[int]], int]


def _walk(tasks: int, kinds: Kinds, pick: Picker) -> Pattern:
    """``scheduleNTasksOnNodes``; which of several equal nodes stands next is asked of ``pick``."""
    left = [count for _, count in kinds]
    order = [kinds[i][0][0] for i in range(len(kinds)) for _ in range(kinds[i][1])]
    count = min(len(order), tasks)
    at: list[int] = []  # kind of each node walked to so far
    given: list[int] = []

    def arrive(position: int) -> int:
        """The node's place in the list, with its kind decided on the first visit."""
        place = position % count
        while len(at) <= place:
            rank = order[len(at)]
            options = [k for k, (kind, _) in enumerate(kinds) if kind[0] == rank and left[k]]
            weights = [left[k] for k in options]
            chosen = options[pick(weights)] if len(options) > 1 else options[0]
            left[chosen] -= 1
            at.append(chosen)
            given.append(0)
        return place

    position = placed = 0
    while count:  # none if there is no task either
        place = arrive(position)
        given[place] += 1
        placed += 1
        if placed == tasks:
            break
        if position + 1 < count:
            rank = order[place]
            now = (rank[0], rank[1] + given[place], rank[2] + given[place])
            position += order[position + 1] < now
        else:
            position += 1
        for _ in range(count):
            place = arrive(position)
            if given[place] < kinds[at[place]][0][1]:
                break
            position += 1
        else:
            break  # every node is full
    return _shares(at, given, len(kinds))


def _shares(at: Sequence[int], given: Sequence[int], kinds: int) -> Pattern:
    shares: list[list[int]] = [[] for _ in range(kinds)]
    for kind, amount in zip(at, given, strict=True):
        if amount:
            shares[kind].append(amount)
    return tuple(tuple(sorted(s)) for s in shares)


def _weighted(weights: Sequence[int], rng: Random) -> int:
    return rng.choices(range(len(weights)), weights)[0]


def _ways(pattern: Pattern, kinds: Kinds) -> int:
    """How many allocations a pattern stands for."""
    return prod(_ways_of(shares, count) for shares, (_, count) in zip(pattern, kinds, strict=True))


def _ways_of(shares: Shares, count: int) -> int:
    ways = 1
    for amount in Counter(shares).values():
        ways *= comb(count, amount)
        count -= amount
    return ways


def _named(
    pattern: Pattern, kinds: Kinds, members: Mapping[Kind, Sequence[int]]
) -> Iterator[Allocation]:
    """The allocations of a pattern: its shares given to the nodes of each kind in every way."""
    partial: list[tuple[tuple[int, int], ...]] = [()]
    for (kind, _), shares in zip(kinds, pattern, strict=True):
        amounts = sorted(Counter(shares).items())
        ways = list(_deal(members[kind], amounts))
        partial = [before + way for before in partial for way in ways]
    return (tuple(sorted(way)) for way in partial)


def _deal(
    nodes: Sequence[int], amounts: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], ...]]:
    if not amounts:
        yield ()
        return
    (amount, how_many), rest = amounts[0], amounts[1:]
    for chosen in combinations(nodes, how_many):
        others = [n for n in nodes if n not in chosen]
        for way in _deal(others, rest):
            yield tuple((n, amount) for n in chosen) + way


# Paths through one nondeterministic run that are tried before it is called too many.
MAX_PATHS = 20_000


def explore(run: Callable[[Picker], T]) -> Iterator[T]:
    """Run something once for every sequence of choices it can be given.

    Args:
        run: deterministic but for the picker it is handed.

    Raises:
        TooManyError: more than ``MAX_PATHS`` sequences.
    """
    path: list[list[int]] = []  # chosen option and number of options, for each choice so far
    for _ in range(MAX_PATHS):
        replay = iter(list(path))

        def pick(options: Sequence[int], replay: Iterator[list[int]] = replay) -> int:
            known = next(replay, None)
            if known is None:
                known = [0, len(options)]
                path.append(known)
            return known[0]

        yield run(pick)
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1][0] += 1
    raise TooManyError
