"""When an experiment is not allowed to begin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.plan.limits import OVERRIDABLE, Guard
from swarmctl.chaos.run import guards
from swarmctl.errors import RefusedError
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import Box, address_of, node, service, task, workers
from tests.unit.chaos.stage import stage


def managers(count: int) -> list[Node]:
    return [node(f"mgr{i}", "manager") for i in range(1, count + 1)]


def box(name: str, **changes: str) -> Box:
    return replace(Box(f"i-{name}", name, "running", address_of(name)), **changes)


@pytest.mark.parametrize(
    ("total", "lost", "allowed"),
    [(1, 1, False), (3, 1, True), (3, 2, False), (5, 2, True), (5, 3, False), (1, 0, True)],
)
def test_quorum(total: int, lost: int, allowed: bool) -> None:
    nodes = managers(total)
    guard = guards.quorum(Swarm(tuple(nodes), (), ()), nodes[:lost])
    assert guard.ok is allowed
    assert guard.detail.startswith(f"{total - lost} of {total} managers would be left")


def test_every_guard_reports_is_documented_and_all_but_two_can_be_overridden(
    tmp_path: Path,
) -> None:
    journal = stage(tmp_path, selection=Selection(role="worker", seed=1)).experiment.run()
    assert {guard.name for guard in journal.guards} == set(Guard)
    page = Path(__file__).parents[4] / "docs" / "chaos.md"
    table = page.read_text(encoding="utf-8").partition("| guard |")[2]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(Guard)
    assert set(Guard) - set(OVERRIDABLE) == {Guard.POSSIBLE, Guard.INSTANCE}


def test_a_manager_that_is_unreachable_does_not_count_for_quorum() -> None:
    """Three managers need two: with one down already, none may go, and two of five may."""
    for missing in ({"reachability": "unreachable"}, {"state": "down"}):
        for total, lost, allowed in ((3, 0, True), (3, 1, False), (5, 2, True), (5, 3, False)):
            nodes = managers(total)
            nodes[-1] = replace(nodes[-1], **missing)  # type: ignore[arg-type]  # texts
            swarm = Swarm(tuple(nodes), (), ())
            assert guards.quorum(swarm, nodes[:lost]).ok is (
                allowed and total - 1 - lost > total // 2
            )


def test_losing_the_only_manager_is_refused(tmp_path: Path) -> None:
    s = stage(tmp_path, targets=("mgr1",))
    with pytest.raises(RefusedError, match=r"guard quorum \(0 of 1 managers would be left"):
        s.experiment.run()
    assert s.lab.log == []


def test_losing_two_of_three_managers_is_refused(tmp_path: Path) -> None:
    s = stage(
        tmp_path,
        nodes=[*managers(3), node("wkr1"), node("wkr2")],
        selection=Selection(role="manager", count=2, seed=1),
    )
    with pytest.raises(RefusedError, match="quorum"):
        s.experiment.run()


def test_a_missing_replica_is_refused() -> None:
    tasks = (task("web", 1, "wkr1"), task("web", 2, "wkr2", state="starting"))
    guard = guards.healthy(Swarm(tuple(workers(2)), (service("web", 2),), tasks))
    assert not guard.ok
    assert guard.detail == "web 1/2: 1 starting on wkr2"


@pytest.mark.parametrize("availability", ["active", "pause", "drain"])
def test_the_guard_and_the_model_agree_on_a_global_service_without_a_task_on_one_node(
    availability: str,
) -> None:
    nodes = workers(3)
    nodes[-1] = replace(nodes[-1], availability=availability)
    tasks = tuple(task("agent", 0, n.hostname, suffix=n.hostname) for n in nodes[:-1])
    swarm = Swarm(tuple(nodes), (service("agent", 0, mode="global"),), tasks)
    assert guards.healthy(swarm).ok is swarm.healthy
    assert swarm.healthy is (availability != "active")


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started", "rollback_paused"])
def test_an_update_under_way_is_refused(state: str) -> None:
    web = service("web", 1, update_state=state)
    guard = guards.healthy(Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),)))
    assert not guard.ok
    assert f"update is {state}" in guard.detail


def test_an_old_rollback_is_no_obstacle() -> None:
    web = service("web", 1, update_state="rollback_completed")
    assert guards.healthy(Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),))).ok


def test_a_node_without_an_instance_of_this_cluster_is_refused() -> None:
    guard = guards.owned("swarm_app", [node("wkr1")], guards.by_name([box("wkr9")]))
    assert not guard.ok
    assert "no EC2 instance of cluster swarm_app is named wkr1" in guard.detail


def test_two_instances_of_one_name_are_refused() -> None:
    found = guards.by_name([box("wkr1"), box("wkr1", id="i-other")])
    assert "ambiguous: i-wkr1, i-other" in guards.owned("c", [node("wkr1")], found).detail


def test_an_instance_that_does_not_run_is_refused() -> None:
    found = guards.by_name([box("wkr1", state="stopped")])
    assert "is stopped, not running" in guards.owned("c", [node("wkr1")], found).detail


def test_a_terminated_instance_of_the_same_name_is_no_obstacle() -> None:
    found = guards.by_name([box("wkr1", id="i-old", state="terminated"), box("wkr1")])
    assert guards.owned("c", [node("wkr1")], found).ok


def test_an_instance_with_another_address_than_the_node_is_refused() -> None:
    """The name alone could lie, and the wrong machine would be stopped."""
    found = guards.by_name([box("wkr1", private_ip="10.42.9.9")])
    guard = guards.owned("c", [node("wkr1")], found)
    assert not guard.ok
    assert "10.42.9.9" in guard.detail


def test_every_guard_that_refuses_is_named(tmp_path: Path) -> None:
    s = stage(tmp_path, targets=("mgr1",))
    s.lab.set_node("wkr1", "down")
    s.lab.states["mgr1"] = "stopping"
    with pytest.raises(RefusedError) as caught:
        s.experiment.run()
    for name in ("swarm-healthy", "quorum", "instance"):
        assert f"guard {name}" in caught.value.message
    assert "nothing was touched" in caught.value.message


def test_the_old_entry_of_a_worker_that_was_made_anew_hinders_nothing() -> None:
    """Broken: after a machine was replaced, no experiment is allowed until its entry is removed."""
    nodes = [*managers(3), node("wkr1"), replace(node("wkr1", state="down"), id="id-old")]
    assert guards.healthy(Swarm(tuple(nodes), (), ())).ok
    nodes.append(node("wkr2", state="down"))
    assert "node wkr2 is down" in guards.healthy(Swarm(tuple(nodes), (), ())).detail
    dead = replace(node("mgr1", "manager", "down"), id="id-old")
    assert not guards.healthy(Swarm((*managers(3), dead), (), ())).ok, "it counts for quorum"
