"""What is about to stop is taken from clients before it stops."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.leaving import without_marks
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import NODES, labelled, port, shop
from tests.unit.engine_json import node, swarm, task

DRAINING = {"swarmctl.draining": "2026-01-31T12:00:00Z"}
OLD, NEW = "2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.51Z"  # text order is the other way round


def ids(given: Swarm, name: str = "shop-web") -> list[str]:
    return sorted(e.id for e in catalogue(given).endpoints if e.name == name)


def web(id_: str, on: str, slot: int, state: str = "running", **more: Any) -> dict[str, Any]:
    return task("shop_web", on, slot, state, id=id_, ports=[port(80, 32768)], **more)


def draining(name: str, addr: str) -> dict[str, Any]:
    return node(name, addr=addr, labels=DRAINING)


def test_the_endpoints_of_a_draining_node_are_left_out() -> None:
    assert ids(shop(nodes=[*NODES[:2], draining("wkr_2", "10.42.0.6")])) == ["task1"]


def test_the_mesh_of_a_draining_node_is_left_out_unless_it_is_the_only_one() -> None:
    entry = labelled("shop_entry", [port(80, 8080, "ingress")])
    tasks = [task("shop_entry", "wkr_1", 1)]
    given = shop(entry, nodes=[*NODES[:2], draining("wkr_2", "10.42.0.6")], tasks=tasks)
    assert ids(given, "shop-entry") == ["id-shop_entry-id-mgr_1", "id-shop_entry-id-wkr_1"]
    alone = shop(entry, nodes=[draining("wkr_1", "10.42.0.5")], tasks=tasks)
    assert ids(alone, "shop-entry") == ["id-shop_entry-id-wkr_1"]


def test_a_service_keeps_its_endpoints_if_they_are_all_on_draining_nodes() -> None:
    nodes = [NODES[0], draining("wkr_1", "10.42.0.5"), draining("wkr_2", "10.42.0.6")]
    assert ids(shop(nodes=nodes)) == ["task1", "task2"]


@pytest.mark.parametrize("state", ["assigned", "preparing", "ready", "starting"])
def test_the_old_task_of_a_slot_leaves_while_the_new_one_starts(state: str) -> None:
    new = web("new1", "wkr_2", 1, state, created=NEW)
    assert ids(shop(more_tasks=(new,))) == ["task2"]


def test_the_old_task_of_a_slot_has_left_when_the_new_one_runs_but_it_was_not_told_to_stop() -> (
    None
):
    tasks = [
        web("new1", "wkr_2", 1, created=NEW),
        web("old1", "wkr_1", 1, created=OLD),
        web("task2", "wkr_2", 2),
    ]
    assert ids(shop(tasks=tasks)) == ["new1", "task2"]


@pytest.mark.parametrize(
    "newer",
    [
        web("new1", "", 1, "pending"),  # no room: it may wait for ever
        web("new1", "wkr_2", 1, "failed"),
        web("new1", "wkr_2", 1, "starting", desired="shutdown"),
        web("new1", "wkr_2", 3, "starting"),  # another slot: scaled up
    ],
)
def test_the_old_task_of_a_slot_stays_if_nothing_is_about_to_replace_it(
    newer: dict[str, Any],
) -> None:
    assert ids(shop(more_tasks=(newer,))) == ["task1", "task2"]


def test_the_only_replica_stays_until_the_new_one_runs() -> None:
    old, starting = web("old1", "wkr_1", 1, created=OLD), web("new1", "wkr_2", 1, "starting")
    assert ids(shop(tasks=[old, starting])) == ["old1"]
    running = web("new1", "wkr_2", 1, created=NEW)
    assert ids(shop(tasks=[old, running])) == ["new1"]


def test_an_update_of_all_replicas_at_once_leaves_half_of_them() -> None:
    service = labelled("shop_many", [port(80)])
    service["Spec"]["Mode"] = {"Replicated": {"Replicas": 5}}

    def many(id_: str, slot: int, state: str = "running") -> dict[str, Any]:
        ports = [port(80, 32768 + slot)]
        return task("shop_many", "wkr_1", slot, state, id=id_, ports=ports)

    old = [many(f"old{slot}", slot) for slot in range(1, 6)]
    new = [many(f"new{slot}", slot, "starting") for slot in range(1, 6)]
    assert ids(shop(service, tasks=old + new), "shop-many") == ["old1", "old2", "old3"]
    new = [many("new6", 6), many("new7", 7), *new]
    assert ids(shop(service, tasks=old + new), "shop-many") == ["new6", "new7", "old1"]


def marked(value: str) -> Swarm:
    service = labelled("shop_web", [port(80)])
    service["Spec"]["Labels"]["swarmctl.draining"] = value
    tasks = [web("task1", "wkr_1", 1), web("task2", "wkr_2", 2)]
    return swarm(NODES, [service], tasks)


def test_a_service_that_loses_a_replica_on_a_node_leaves_that_node_first() -> None:
    assert ids(marked("2 id-wkr_1")) == ["task2"]
    assert ids(without_marks(marked("2 id-wkr_1"))) == ["task1", "task2"]


@pytest.mark.parametrize(
    "mark", ["3 id-wkr_1", "2 id-wkr_1,id-wkr_2", "2", "", "nonsense", "2 id-other"]
)
def test_a_mark_that_was_left_behind_or_takes_too_much_changes_nothing(mark: str) -> None:
    assert ids(marked(mark)) == ["task1", "task2"]
