"""What a node has left after some batches; and no choice is tried where it cannot matter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from swarmctl.scheduler.batch import Allocation, Kind
from swarmctl.scheduler.board import Board
from swarmctl.scheduler.tree import Path, Spread, _divide, build
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import node, service, swarm


def board() -> Board:
    """Two nodes; on a run two tasks of web, which has port 80."""
    web = service("web", 2, ports=[80], cpus=1)
    others = [service("api", ports=[81]), service("db", memory=1), service("log")]
    machines = [node(name, cpus=4, memory=8) for name in "ab"]
    return Board(parse_swarm(swarm(machines, [(web, {"a": 2}), *((s, {}) for s in others)])))


def test_every_batch_on_a_node_is_counted_and_the_start_is_kept() -> None:
    it = board()
    (column,) = it.changed(
        (("id-api", ((0, 1),)), ("id-db", ((0, 2),)), ("id-api", ((0, 1),)))
    ).values()
    assert (column.active, column.of_service) == (6, {"id-web": 2, "id-api": 2, "id-db": 2})
    assert column.ports == {("tcp", 80), ("tcp", 81)}
    assert (column.nano_cpus, column.memory_bytes) == (2 * 10**9, 6 << 30)
    start = it.columns[0]
    assert (start.active, start.of_service, start.ports) == (2, {"id-web": 2}, {("tcp", 80)})
    assert start.memory_bytes == 8 << 30


def test_nodes_without_a_new_task_have_not_changed() -> None:
    assert list(board().changed((("id-log", ((1, 1),)),))) == [1]
    assert board().changed(()) == {}


def test_the_tasks_of_a_lost_node_leave_their_branch_and_placed_ones_join_theirs() -> None:
    web = service("web", 3, spread=["node.labels.az"])
    machines = [node(name, labels={"az": zone}) for name, zone in zip("abcd", "xxyx", strict=True)]
    it = Board(parse_swarm(swarm(machines, [(web, {"a": 2, "c": 1})])))
    of = it.services["id-web"]
    lost = frozenset([0, 3])  # a, with two tasks, and d, without one
    # A task that was placed on a lost node is lost with it; one of another service is not counted.
    placed = (("id-web", ((0, 5), (1, 1))), ("id-web", ((1, 1),)), ("id-api", ((2, 7),)))
    it.services["id-api"] = of
    tree = it.field(of, lost, placed).tree
    assert {zone: branch.tasks for zone, branch in tree.branches.items()} == {"x": 2, "y": 1}
    assert tree.tasks == 3
    assert it.field(of, frozenset(), ()).tree.branches["x"].tasks == 2


# --- the order of branches ------------------------------------------------------------------------


class Empty:
    """Nodes of equal branches, each with room for all."""

    def __init__(self, paths: Mapping[int, Path]) -> None:
        self.paths = paths

    def best(self, path: Path, tasks: int) -> dict[int, Kind]:
        return {i: ((0, 0, 0), tasks) for i, own in self.paths.items() if own == path}

    def put(self, allocation: Allocation) -> None:
        pass


def first(tasks: int, nodes: Mapping[int, Kind]) -> Allocation:
    return ((min(nodes), tasks),)


def spread(tasks: int, zones: int, active: int = 0) -> tuple[Allocation, list[list[int]]]:
    """Place tasks over zones, each with so many; with the choices that were offered."""
    paths: dict[int, Path] = {i: (f"z{i}",) for i in range(zones)}
    offered: list[list[int]] = []

    def pick(options: object) -> int:
        assert isinstance(options, list)
        offered.append(options)
        return len(options) - 1

    return Spread(Empty(paths), first, pick).place(
        tasks, build(paths, dict.fromkeys(paths, active))
    ), offered


def test_no_order_is_tried_where_every_branch_gets_the_same() -> None:
    """Broken: a Swarm with many zones has too many outcomes to list, all of them equal."""
    even = ((0, 2), (1, 2), (2, 2), (3, 2))
    assert spread(8, 4) == spread(8, 4, active=3) == (even, [])


@pytest.mark.parametrize(
    ("tasks", "zones", "placed", "offered"),
    [
        (1, 1, ((0, 1),), []),
        (1, 3, ((2, 1),), [[1, 1, 1]]),
        (4, 3, ((0, 1), (1, 1), (2, 2)), [[1, 1, 1]]),
        # The last two branches get the same, whichever comes first.
        (5, 3, ((0, 1), (1, 2), (2, 2)), [[1, 1, 1], [1, 1]]),
    ],
)
def test_an_order_is_tried_as_long_as_a_remainder_is_left(
    tasks: int, zones: int, placed: Allocation, offered: list[list[int]]
) -> None:
    assert spread(tasks, zones) == (placed, offered)


@pytest.mark.parametrize(
    ("number", "by", "result"),
    [(7, 2, (3, 1)), (-7, 2, (-3, -1)), (-1, 3, (0, -1)), (6, 3, (2, 0)), (0, 3, (0, 0))],
)
def test_a_division_rounds_towards_zero_as_go_does(
    number: int, by: int, result: tuple[int, int]
) -> None:
    assert _divide(number, by) == result
