"""In which order nodes leave, and when it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.errors import RefusedError, UsageError
from swarmctl.membership.plan import RemovalPlan, entries, plan_removal, refuse
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import node
from tests.unit.scheduler.swarms import service, task

VOLUME = {"Type": "volume", "Source": "data", "Target": "/data"}


def manager(name: str, *, up: bool = True, leader: bool = False) -> dict[str, Any]:
    raw = node(name, "manager", "ready" if up else "down", leader=leader)
    raw["ManagerStatus"]["Reachability"] = "reachable" if up else "unreachable"
    return raw


def swarm(nodes: list[Any], services: Any = (), tasks: Any = ()) -> Swarm:
    return parse_swarm({"nodes": nodes, "services": list(services), "tasks": list(tasks)})


def plan(found: Swarm, *names: str, **more: Any) -> RemovalPlan:
    return plan_removal(found, entries(found, names, absent_ok=False), **more)


FIVE = [manager("a_mgr1", leader=True), *(manager(f"a_mgr{n}") for n in range(2, 6))]


def test_workers_leave_first_lost_managers_next_and_the_leader_last() -> None:
    nodes = [
        *(manager("a_mgr1", leader=True), manager("a_mgr2"), manager("a_mgr3", up=False)),
        *(manager("a_mgr4"), manager("a_mgr5"), node("a_wkr1"), node("a_wkr2")),
    ]
    found = plan(swarm(nodes), "mgr1", "mgr2", "mgr3", "wkr2")
    assert [n.name for n in found.nodes] == ["a_wkr2", "a_mgr3", "a_mgr2", "a_mgr1"]
    assert found.refusals == ()
    assert found.managers == (5, 2)
    assert found.drain is not None
    assert {n.name for n in found.drain.nodes} == {"a_wkr2", "a_mgr2", "a_mgr1"}


def test_five_managers_become_three_and_one() -> None:
    assert plan(swarm(FIVE), "mgr4", "mgr5").refusals == ()
    assert plan(swarm(FIVE), "mgr1", "mgr2", "mgr3", "mgr4").refusals == ()


def test_the_last_manager_never_leaves() -> None:
    found = plan(swarm([manager("a_mgr1", leader=True), node("a_wkr1")]), "mgr1")
    assert found.refusals == ("a_mgr1 is the last manager: without it the Swarm ends",)
    with pytest.raises(RefusedError, match="last manager"):
        refuse(found, force=True)


def test_a_manager_stays_while_too_few_others_can_be_reached() -> None:
    """Broken: the Swarm has two managers, one of them lost, and can never be changed again."""
    nodes = [manager("a_mgr1", leader=True), manager("a_mgr2"), manager("a_mgr3", up=False)]
    (refusal,) = plan(swarm(nodes), "mgr2").refusals
    assert refusal == (
        "without a_mgr2, 1 of 2 managers could be reached, 2 must be: "
        "repair or replace a_mgr3 first"
    )
    assert plan(swarm(nodes), "mgr3").refusals == ()


def test_a_reinstalled_manager_does_not_count_even_if_swarm_has_not_noticed() -> None:
    nodes = [manager("a_mgr1", leader=True), manager("a_mgr2"), manager("a_mgr3")]
    found = plan(swarm(nodes), "mgr3", dead=["id-a_mgr3"], gone=True)
    assert (found.drain, found.refusals) == (None, ())
    assert plan(swarm(nodes), "mgr2", dead=["id-a_mgr3"]).refusals != ()


def test_a_demoted_manager_that_has_not_left_the_others_counts() -> None:
    """Broken: a run that was interrupted counts one manager too few, and ends the quorum."""
    half = manager("a_mgr3")
    half["Spec"]["Role"] = "worker"
    nodes = [manager("a_mgr1", leader=True), manager("a_mgr2", up=False), half]
    assert plan(swarm(nodes), "mgr3").refusals != ()


def test_all_entries_of_a_name_leave_and_an_id_means_one() -> None:
    old = node("a_wkr1", state="down") | {"ID": "old"}
    found = swarm([manager("a_mgr1", leader=True), old, node("a_wkr1")])
    assert set(entries(found, ["wkr1"], absent_ok=False)) == {"old", "id-a_wkr1"}
    assert entries(found, ["old"], absent_ok=False) == ("old",)
    assert entries(found, ["wkr9"], absent_ok=True) == ()
    with pytest.raises(UsageError):
        entries(found, ["wkr9"], absent_ok=False)


def test_the_data_of_a_lost_node_is_named_and_refused_unless_it_is_forced() -> None:
    db = service("db", 1, mounts=[VOLUME])
    lost = task(db, 1, "a_wkr1")
    lost["NodeID"] = "id-a_wkr1"
    nodes = [manager("a_mgr1", leader=True), node("a_wkr1", state="down")]
    found = plan(swarm(nodes, [db], [lost]), "wkr1")
    assert found.objections == ("db: the volume data on a_wkr1 is lost with it",)
    with pytest.raises(RefusedError, match="would lose something"):
        refuse(found, force=False)
    refuse(found, force=True)
    gone = plan(swarm(nodes, [db], [lost]), "wkr1", gone=True)
    assert gone.objections == ()
    assert any("is lost with it" in text for text in gone.remarks)
