"""The same seed always takes the same nodes; a wrong name is answered with the right ones."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.fault.targets import choose, choose_tasks
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.simulated_swarm import service, task, workers
from tests.unit.chaos.stage import stage

SWARM = Swarm(tuple(workers(8)), (), ())
ZONED = Swarm(
    tuple(
        replace(n, labels={"az": "abc"[i % 3], "disk": "ssd" if i == 4 else ""})
        for i, n in enumerate(workers(6))
    ),
    (service("web", 3), service("db", 1)),
    (
        task("web", 1, "wkr1"),
        task("web", 2, "wkr4"),
        task("web", 3, "wkr4"),
        task("db", 1, "wkr5"),
    ),
)


def names(selection: Selection, swarm: Swarm = SWARM) -> list[str]:
    return [node.hostname for node in choose(swarm, selection)]


def test_a_seed_draws_the_same_nodes_in_whatever_order_the_managers_list_them() -> None:
    shuffled = list(SWARM.nodes)
    random.Random(7).shuffle(shuffled)
    for seed in range(50):
        selection = Selection(role="worker", count=3, seed=seed)
        assert names(selection) == names(selection, Swarm(tuple(shuffled), (), ()))


def test_this_draw_never_changes() -> None:
    """A seed printed by an older version must still mean the same nodes."""
    assert names(Selection(role="worker", count=2, seed=42)) == ["wkr1", "wkr2"]


def test_every_worker_can_be_drawn() -> None:
    drawn = {names(Selection(role="worker", seed=seed))[0] for seed in range(200)}
    assert drawn == {f"wkr{i}" for i in range(1, 9)}


def test_a_seed_that_was_drawn_is_printed_and_kept(tmp_path: Path) -> None:
    s = stage(tmp_path, selection=Selection(role="worker"))
    journal = s.experiment.run()
    seed = journal.parameters["seed"]
    assert any(f"--seed {seed}" in line for line in s.progress.lines)
    again = stage(tmp_path, selection=Selection(role="worker", seed=seed))
    assert again.experiment.run().targets == journal.targets


def test_an_unknown_node_gets_the_known_names_and_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown node 'wrk2'") as caught:
        names(Selection(names=("wrk2",)))
    assert "did you mean 'wkr2'?" in caught.value.hint
    assert "mgr1" in caught.value.hint


def test_naming_a_node_twice_takes_it_once() -> None:
    assert names(Selection(names=("wkr3", "wkr3"))) == ["wkr3"]


@pytest.mark.parametrize(
    ("selection", "nodes"),
    [
        (Selection(leader=True), ["mgr1"]),
        (Selection(zone="b", percent=100), ["wkr1", "wkr4"]),
        (Selection(labels={"disk": "ssd"}), ["wkr4"]),
        (Selection(hosts="web", percent=100), ["wkr1", "wkr4"]),
        (Selection(role="worker", zone="a", percent=100), ["wkr3", "wkr6"]),
        (Selection(names=("wkr2", "mgr1")), ["wkr2", "mgr1"]),
    ],
)
def test_all_filters_must_match(selection: Selection, nodes: list[str]) -> None:
    assert names(selection, ZONED) == nodes


LISTED = "mgr1 (manager), " + ", ".join(f"wkr{i} (worker)" for i in range(1, 7))
ALL_NAMES = "mgr1, wkr1, wkr2, wkr3, wkr4, wkr5, wkr6"


@pytest.mark.parametrize(
    ("selection", "complaint", "hint"),
    [
        (Selection(role="leader"), "unknown role 'leader'", "known: manager, worker"),
        (Selection(zone="d"), "unknown availability zone 'd'", "known: a, b, c"),
        (Selection(hosts="wbe"), "unknown service 'wbe'", "did you mean 'web'? known: db, web"),
        (Selection(service="x"), "unknown service 'x'", "known: db, web"),
        (
            Selection(labels={"disk": "nvme"}, count=2, seed=1),
            "no node matches {'labels': {'disk': 'nvme'}}",
            f"nodes: {LISTED}",
        ),
        (Selection(percent=0, seed=1), "0 % is not between 0 and 100", ""),
        (Selection(percent=100.5, seed=1), "100.5 % is not between 0 and 100", ""),
        (Selection(count=0, seed=1), "cannot draw 0 nodes: the minimum is 1", ""),
        (Selection(count=8, seed=1), "cannot draw 8 nodes from 7", f"there are: {ALL_NAMES}"),
    ],
)
def test_what_nothing_fits_is_a_usage_error_that_says_what_there_is(
    selection: Selection, complaint: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        names(selection, ZONED)
    assert (caught.value.message, caught.value.hint) == (complaint, hint)


def test_all_that_there_are_need_no_draw_and_anything_less_needs_a_seed() -> None:
    assert len(names(Selection(count=7), ZONED)) == 7
    with pytest.raises(ValueError, match=r"^a draw needs a seed$"):
        names(Selection(count=6), ZONED)


def test_nodes_of_one_name_are_drawn_in_the_order_of_their_ids() -> None:
    """A machine that joined anew is listed twice, in any order."""
    twice = [replace(ZONED.nodes[1], id=id_) for id_ in ("id-2", "id-1", "id-3")]
    orders = [twice, twice[::-1], [twice[1], twice[2], twice[0]]]
    for seed in range(20):
        selection = Selection(role="worker", count=1, seed=seed)
        drawn = [choose(replace(ZONED, nodes=tuple(nodes)), selection) for nodes in orders]
        assert drawn[0] == drawn[1] == drawn[2]


@pytest.mark.parametrize(("percent", "count"), [(34, 3), (1, 1), (100, 7), (50, 4)])
def test_a_share_is_rounded_up(percent: float, count: int) -> None:
    assert len(names(Selection(percent=percent, seed=3), ZONED)) == count


def test_an_eleventh_of_eleven_is_one() -> None:
    """As a floating point number it is a little more."""
    eleven = Swarm(tuple(workers(10)), (), ())
    assert len(names(Selection(percent=100 / 11, seed=1), eleven)) == 1


def test_tasks_are_drawn_of_one_service_and_where_they_run() -> None:
    def slots(**fields: object) -> list[int]:
        selection = Selection(service="web", seed=1, **fields)  # type: ignore[arg-type]  # as named
        return sorted(task.slot for task in choose_tasks(ZONED, selection))

    assert slots(percent=100) == [1, 2, 3]
    assert len(slots()) == 1
    assert slots(names=("wkr4",), percent=100) == [2, 3]
    with pytest.raises(UsageError, match="no task of web runs"):
        slots(names=("wkr2",))


def test_a_draw_of_tasks_does_not_depend_on_the_order_in_which_they_are_listed() -> None:
    backwards = replace(ZONED, tasks=ZONED.tasks[::-1])
    for seed in range(20):
        selection = Selection(service="web", seed=seed)
        assert choose_tasks(ZONED, selection) == choose_tasks(backwards, selection)


def test_two_tasks_of_a_slot_are_drawn_in_the_order_of_their_ids() -> None:
    """While an update starts the new one first, a slot has two."""
    pair = (task("web", 1, "wkr1", suffix="a"), task("web", 1, "wkr1", suffix="b"))
    for seed in range(20):
        selection = Selection(service="web", seed=seed)
        assert choose_tasks(replace(ZONED, tasks=pair), selection) == choose_tasks(
            replace(ZONED, tasks=pair[::-1]), selection
        )


def test_more_tasks_than_there_are_is_a_usage_error_that_names_them() -> None:
    with pytest.raises(UsageError) as caught:
        choose_tasks(ZONED, Selection(service="web", count=4, seed=1))
    assert caught.value.message == "cannot draw 4 tasks of web from 3"
    assert caught.value.hint == "there are: web.1.old, web.2.old, web.3.old"
