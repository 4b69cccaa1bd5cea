"""Which nodes are upgraded together: no zone, no service, no majority is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from swarmctl.errors import UsageError
from swarmctl.moves.earlier import EARLIER_LABEL
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from swarmctl.upgrade.as_json import as_json
from swarmctl.upgrade.plan import UpgradePlan, plan_upgrade
from swarmctl.upgrade.survey import Surveyed
from tests.unit.scheduler.swarms import Raw, node, service, swarm

OLD = Surveyed("20.10.24", "20.10.24-1", "26.1.5-1")
NEW = Surveyed("26.1.5", "26.1.5-1", "26.1.5-1")
Placed = Sequence[tuple[Raw, Mapping[str, int]]]


def workers(*names: str, zones: str = "aabbcc", **more: Any) -> list[Raw]:
    return [
        node(name, **({"labels": {"az": zone}} | more))
        for name, zone in zip(names, zones, strict=False)
    ]


def planned(
    nodes: Sequence[Raw],
    placed: Placed = (),
    batch: int = 3,
    survey: Mapping[str, Surveyed] | None = None,
) -> UpgradePlan:
    found: Swarm = parse_swarm(swarm(nodes, placed))
    names = [n.hostname for n in found.nodes]
    return plan_upgrade(found, dict.fromkeys(names, OLD) | dict(survey or {}), batch)


def steps(plan: UpgradePlan) -> list[list[str]]:
    return [[n.name for n in step.nodes] for step in plan.steps]


def test_workers_go_first_then_managers_one_at_a_time_and_the_leader_last() -> None:
    managers = [
        node("m1", role="manager", leader=True),
        node("m2", role="manager"),
        node("m3", role="manager"),
    ]
    plan = planned([*managers, *workers("w10", "w2", "w1", zones="abc")])
    assert steps(plan) == [["w1"], ["w2"], ["w10"], ["m2"], ["m3"], ["m1"]]
    assert plan.objections == ()


def test_a_batch_leaves_a_worker_in_every_zone() -> None:
    plan = planned(workers("w1", "w2", "w3", "w4", "w5", "w6"))
    assert steps(plan) == [["w1", "w3", "w5"], ["w2", "w4", "w6"]]


def test_a_batch_is_bounded() -> None:
    plan = planned(workers("w1", "w2", "w3", "w4", "w5", "w6"), batch=2)
    assert max(len(names) for names in steps(plan)) == 2


def test_half_of_a_services_replicas_stay_where_they_are() -> None:
    nodes = workers("w1", "w2", "w3", "w4", "w5", "w6")
    plan = planned(nodes, [(service("web", 2), {"w1": 1, "w3": 1})])
    first = steps(plan)[0]
    assert "w3" not in first
    assert plan.objections == ()


def test_a_batch_whose_replicas_find_no_place_together_is_made_smaller() -> None:
    nodes = workers("w1", "w2", "w3", "w4", "w5", "w6", cpus=4)
    full = [(service(f"s{n}", 2, cpus=2), {f"w{n}": 1, f"w{n % 6 + 1}": 1}) for n in range(1, 6)]
    plan = planned(nodes, full)  # room for one node's replicas, no more
    assert [len(names) for names in steps(plan)] == [1] * 6
    assert plan.objections == ()


def test_a_replica_that_finds_no_place_at_all_is_an_objection() -> None:
    nodes = workers("w1", "w2", zones="ab", cpus=4)
    plan = planned(nodes, [(service("big", 2, cpus=3), {"w1": 1, "w2": 1})])
    assert any("w1: big: 1 replica finds no node" in text for text in plan.objections)


def test_later_steps_are_planned_on_what_earlier_ones_leave_behind() -> None:
    nodes = workers("w1", "w2", "w3", zones="abc")
    plan = planned(nodes, [(service("web", 4), {"w1": 2, "w2": 2})])
    moves = [step["moves"].get("web", 0) for step in as_json(plan)["steps"]]
    assert moves[0] == 2
    assert moves[1] >= 2
    # w3 took what w1 had, so it has something to lose now
    assert moves[2] >= 2


def test_nodes_that_run_the_version_are_skipped_and_those_begun_come_first() -> None:
    nodes = workers("w1", "w2", "w3", zones="abc")
    nodes[2]["Spec"] |= {"Availability": "drain", "Labels": {"az": "c", EARLIER_LABEL: "active"}}
    plan = planned(nodes, survey={"w1": NEW, "w3": NEW})
    assert steps(plan) == [["w3"], ["w2"]]
    assert plan.current == ("w1",)
    assert plan.steps[0].begun == ("w3",)
    assert "w3: an earlier run has begun with it; it was active before" in plan.remarks


def test_a_node_that_an_operator_has_drained_is_upgraded_and_nothing_moves() -> None:
    nodes = workers("w1", "w2", "w3", zones="abc")
    nodes[0]["Spec"]["Availability"] = "drain"
    plan = planned(nodes, [(service("web", 2), {"w2": 1, "w3": 1})])
    assert steps(plan)[0] == ["w1"]
    assert as_json(plan)["steps"][0]["moves"] == {}
    assert "w1 is drain, and will be again" in plan.remarks


def test_a_manager_without_whom_the_majority_is_lost_is_an_objection() -> None:
    managers = [
        node("m1", role="manager", leader=True),
        node("m2", role="manager"),
        node("m3", role="manager", reachability="unreachable"),
    ]
    found = parse_swarm(swarm(managers, []))
    plan = plan_upgrade(found, {"m2": OLD}, 1)
    assert plan.objections == ("m2: 1 of 3 managers would remain, 2 are needed",)


def test_a_single_manager_is_upgraded_with_a_remark() -> None:
    plan = planned([node("m1", role="manager", leader=True), *workers("w1", "w2")])
    assert steps(plan)[-1] == ["m1"]
    assert plan.objections == ()
    assert any("m1 is the only manager" in text for text in plan.remarks)


def test_an_older_version_is_refused() -> None:
    older = replace(OLD, running="29.0.1")
    with pytest.raises(UsageError, match=r"^w1 runs 29\.0\.1, 26\.1\.5 is older$") as refused:
        planned(workers("w1", "w2"), survey={"w1": older})
    assert "an Engine is never downgraded" in refused.value.hint


def test_replicas_that_are_missing_before_the_upgrade_are_an_objection() -> None:
    plan = planned(workers("w1", "w2"), [(service("web", 3), {"w1": 1, "w2": 1})])
    assert "web: 1 of 3 replicas do not serve now" in plan.objections
    assert plan.short == ("web",)


def test_replicas_that_miss_the_node_of_a_stopped_run_are_no_objection_to_going_on() -> None:
    nodes = workers("w1", "w2")
    nodes[0]["Spec"] |= {"Availability": "drain", "Labels": {"az": "a", EARLIER_LABEL: "active"}}
    plan = planned(nodes, [(service("web", 3), {"w2": 2})])
    assert not any("do not serve now" in text for text in plan.objections)
    assert plan.short == ("web",), "with force, nobody waits for it: it may have been short before"


def test_a_node_that_is_left_out_is_named() -> None:
    found = parse_swarm(swarm(workers("w1", "w2"), []))
    plan = plan_upgrade(found, {"w1": OLD}, 3)
    assert "w2 (ready, Engine 26.1.5) is left out" in plan.remarks
    gone = plan_upgrade(found, {"w1": OLD, "w9": OLD}, 3)
    assert "w9 is no live member of the Swarm" in gone.objections


def test_clients_of_the_socket_are_named_only_when_the_least_api_rises() -> None:
    socket = [{"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/s"}]
    proxy = service("proxy", 1, mounts=socket)
    fixed = service("agent", 1, mounts=socket)
    fixed["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["DOCKER_API_VERSION=1.40"]
    placed = [(proxy, {"w1": 1}), (fixed, {"w2": 1})]
    nodes = workers("w1", "w2", "w3", zones="abc")
    everywhere = ("w1", "w2", "w3")
    fix = replace(NEW, installed="26.1.5-0")
    same = planned(nodes, placed, survey=dict.fromkeys(everywhere, fix))
    assert not any("socket" in text for text in same.remarks)
    to_29 = Surveyed("26.1.5", "26.1.5-1", "29.0.1-1", on_socket=("watcher (w:1)",))
    plan = planned(nodes, placed, survey=dict.fromkeys(everywhere, to_29))
    said = " ".join(plan.remarks)
    assert "proxy (httpd:2.4) uses the Engine's socket: its client must speak version 1.44" in said
    assert "agent: DOCKER_API_VERSION=1.40: the new Engine answers from 1.44 on" in said
    assert "w1: the container watcher (w:1) uses the Engine's socket" in said
    assert plan.objections == (), "the socket is on every node: it is no data"
