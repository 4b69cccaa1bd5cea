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
    (service("web", 3),),
    (task("web", 1, "wkr1"), task("web", 2, "wkr4"), task("web", 3, "wkr4")),
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


def test_more_nodes_than_there_are_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot draw 9 nodes from 8"):
        names(Selection(role="worker", count=9, seed=1))


def test_naming_a_node_twice_takes_it_once() -> None:
    assert names(Selection(names=("wkr3", "wkr3"))) == ["wkr3"]


def test_an_unknown_role_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown role"):
        names(Selection(role="leader", seed=1))


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


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        (Selection(zone="d"), "unknown availability zone 'd'"),
        (Selection(hosts="wbe"), "unknown service 'wbe'"),
        (Selection(labels={"disk": "nvme"}), "no node matches"),
        (Selection(percent=0, seed=1), "is not between 0 and 100"),
        (Selection(count=0, seed=1), "cannot draw 0 nodes"),
    ],
)
def test_what_nothing_fits_is_a_usage_error(selection: Selection, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        names(selection, ZONED)


@pytest.mark.parametrize(("percent", "count"), [(34, 3), (1, 1), (100, 7), (50, 4)])
def test_a_share_is_rounded_up(percent: float, count: int) -> None:
    assert len(names(Selection(percent=percent, seed=3), ZONED)) == count


def test_tasks_are_drawn_of_one_service_and_where_they_run() -> None:
    def slots(**fields: object) -> list[int]:
        selection = Selection(service="web", seed=1, **fields)  # type: ignore[arg-type]  # as named
        return sorted(task.slot for task in choose_tasks(ZONED, selection))

    assert slots(percent=100) == [1, 2, 3]
    assert len(slots()) == 1
    assert slots(names=("wkr4",), percent=100) == [2, 3]
    with pytest.raises(UsageError, match="no task of web runs"):
        slots(names=("wkr2",))
