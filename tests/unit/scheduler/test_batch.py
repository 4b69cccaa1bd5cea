"""A batch's outcomes: all of them listed, or drawn as often as chance has them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from swarmctl.scheduler.batch import (
    MAX_PATHS,
    TooManyError,
    allocations,
    explore,
    random_allocation,
)

EMPTY = (0, 0, 0)
PLENTY = 9


def test_each_way_to_place_a_batch_is_drawn_as_often_as_chance_has_it() -> None:
    """Broken: where outcomes are too many to list, the drawn ones mislead."""
    nodes = {0: (EMPTY, 1), 1: (EMPTY, PLENTY), 2: (EMPTY, PLENTY), 3: (EMPTY, PLENTY)}
    rng = Random(7)
    drawn = Counter(random_allocation(2, nodes, rng) for _ in range(6000))
    assert sorted(drawn) == list(allocations(2, nodes, limit=6))
    assert all(880 < times < 1120 for times in drawn.values())


@pytest.mark.parametrize(
    ("tasks", "nodes", "placed"),
    [
        # The walk stays on a node until the next one is strictly better.
        (2, [(0, 1, 9), (0, 3, 3)], (2, 0)),
        (3, [(0, 1, 9), (0, 3, 3)], (2, 1)),
        # With as many tasks of the service, fewer tasks of all services are better.
        (2, [(0, 1, 5), (0, 2, 5)], (1, 1)),
        (2, [(0, 1, 5), (0, 2, 6)], (2, 0)),
        # A node that keeps failing comes last, however empty it is.
        (3, [(0, 7, 7), (5, 0, 0)], (3, 0)),
        (3, [(5, 0, 0), (6, 0, 0)], (3, 0)),
        (3, [(0, 0, 0), (0, 1, 0), (0, 9, 9)], (1, 2, 0)),
    ],
)
def test_a_task_goes_where_the_walk_stands(
    tasks: int, nodes: list[tuple[int, int, int]], placed: tuple[int, ...]
) -> None:
    kinds = {i: (rank, PLENTY) for i, rank in enumerate(nodes)}
    expected = tuple((i, count) for i, count in enumerate(placed) if count)
    assert allocations(tasks, kinds, limit=9) == (expected,)
    assert random_allocation(tasks, kinds, Random(1)) == expected


def test_what_is_drawn_is_one_of_the_outcomes_that_are_listed() -> None:
    nodes = {
        0: ((0, 0, 0), 1),
        1: ((0, 0, 0), 2),
        2: ((0, 0, 0), 2),
        3: ((0, 1, 1), PLENTY),
        4: ((0, 1, 2), 0),
    }
    for tasks in range(1, 7):
        rng = Random(tasks)
        drawn = {random_allocation(tasks, nodes, rng) for _ in range(300)}
        assert drawn == set(allocations(tasks, nodes, limit=100))


def test_no_more_outcomes_are_listed_than_the_limit() -> None:
    nodes = dict.fromkeys(range(5), (EMPTY, PLENTY))
    assert len(allocations(2, nodes, limit=10)) == 10
    with pytest.raises(TooManyError):
        allocations(2, nodes, limit=9)


def test_nothing_is_placed_where_nothing_fits() -> None:
    assert allocations(2, {0: (EMPTY, 0)}, limit=1) == ((),)
    assert random_allocation(2, {}, Random(1)) == ()
    assert allocations(5, {0: (EMPTY, 1), 1: (EMPTY, 2)}, limit=1) == (((0, 1), (1, 2)),)


def test_every_sequence_of_choices_is_tried_once() -> None:
    def run(pick: object) -> tuple[int, ...]:
        assert callable(pick)
        first = pick([1, 1, 1])
        return (first, pick([1, 1])) if first else (first,)

    assert list(explore(run)) == [(0,), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_too_many_sequences_of_choices_are_given_up() -> None:
    with pytest.raises(TooManyError):
        list(explore(lambda pick: [pick([1, 1]) for _ in range(20)]))
    exact = explore(lambda pick: pick([1] * MAX_PATHS))
    assert sum(1 for _ in exact) == MAX_PATHS
