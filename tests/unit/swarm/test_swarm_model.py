"""What counts as running, wanted and missing."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.swarm.model import Swarm
from tests.unit.engine_json import node, service, swarm, task, template

Raw = dict[str, Any]
NODES = [node("mgr1", "manager", leader=True), node("wkr1"), node("wkr2")]


def web(
    *tasks: dict[str, object], nodes: list[dict[str, object]] | None = None, n: int = 2
) -> Swarm:
    return swarm(nodes or NODES, [service("web", replicas=n)], list(tasks))


def test_a_task_on_a_node_that_is_down_does_not_serve_though_it_still_says_running() -> None:
    seen = web(
        task("web", "wkr1", 1),
        task("web", "wkr2", 2),
        nodes=[NODES[0], NODES[1], node("wkr2", state="down")],
    )
    (it,) = seen.services
    assert [t.slot for t in seen.serving(it)] == [1]
    assert seen.missing(it) == 1
    assert not seen.healthy


@pytest.mark.parametrize("state", ["down", "disconnected", "unknown"])
def test_only_a_ready_node_is_live(state: str) -> None:
    seen = web(task("web", "wkr1", 1), nodes=[node("wkr1", state=state)], n=1)
    assert seen.running(seen.services[0]) == 0


def test_two_tasks_in_one_slot_fill_it_once() -> None:
    seen = web(task("web", "wkr1", 1), task("web", "wkr2", 1))
    assert len(seen.serving(seen.services[0])) == 2
    assert seen.running(seen.services[0]) == 1
    assert seen.missing(seen.services[0]) == 1


def test_a_task_that_is_told_to_shut_down_does_not_count() -> None:
    seen = web(task("web", "wkr1", 1, desired="shutdown"), task("web", "wkr2", 2, "starting"))
    assert seen.running(seen.services[0]) == 0


def test_a_global_service_is_wanted_on_every_node_that_may_have_it() -> None:
    nodes = [
        *NODES,
        node("drained", availability="drain"),
        node("paused", availability="pause"),
        node("paused_with", availability="pause"),
        node("down", state="down"),
    ]
    spec = template(Placement={"Constraints": ["node.role == worker"]})
    agent = service("agent", {"Global": {}}, spec=spec)
    seen = swarm(nodes, [agent], [task("agent", "wkr1"), task("agent", "paused_with")])
    (it,) = seen.services
    assert seen.wanted(it) == 3  # wkr1, wkr2, paused_with
    assert seen.missing(it) == 1


def test_a_job_is_missing_what_has_not_completed_in_this_iteration() -> None:
    job = service(
        "job",
        {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 2}},
        JobStatus={"JobIteration": {"Index": 7}},
    )
    tasks = [
        task("job", "wkr1", 1, "complete", iteration=7),
        task("job", "wkr1", 2, "complete", iteration=3),
    ]
    seen = swarm(NODES, [job], tasks)
    assert seen.missing(seen.services[0]) == 1
    assert seen.healthy  # a job serves nobody


def test_a_task_of_the_current_spec_is_recognised_by_content() -> None:
    spec = template("httpd:2.4", Placement={"Constraints": ["node.role==worker"]})
    same, moved, other = template("httpd:2.4"), spec, template("httpd:2.5")
    tasks = [task("web", "wkr1", i, spec=s) for i, s in enumerate([same, moved, other], 1)]
    seen = swarm(NODES, [service("web", spec=spec)], tasks)
    (web,) = seen.services
    assert [web.is_current(t) for t in seen.tasks] == [True, True, False]


def test_a_manager_is_addressed_as_the_other_managers_do() -> None:
    seen = swarm([node("mgr1", "manager", addr="10.42.0.4")], [], [])
    assert seen.nodes[0].address == "10.42.0.4"
    assert seen.leader is None


def test_a_rejoined_machine_is_found_by_its_live_entry() -> None:
    old, new = node("wkr1", state="down"), node("wkr1")
    new["ID"] = "id-new"
    found = swarm([old, new], [], []).node_by_name("wkr1")
    assert found is not None
    assert found.id == "id-new"


def test_the_services_own_names_and_stacks_are_found() -> None:
    seen = swarm(
        NODES,
        [service("b_web", stack="b"), service("a_web", stack="a"), service("x", stack="")],
        [],
    )
    assert seen.stacks() == ("a", "b")
    assert [s.name for s in seen.stack_services("a")] == ["a_web"]
    assert seen.service_by_name("b_web") is not None
    assert seen.service_by_name("nope") is None


def test_what_a_node_or_a_container_says_moves_no_cursor() -> None:
    evil = node("wkr1", labels={"az": "\x1b[2Ja"}, message="\x1b]0;title\x07gone\nfor good")
    evil["Description"]["Hostname"] = "wkr1\x1b[31m\x9b1m"
    seen = web(task("web", "wkr1", 1, "failed", error="\x1b[1Ano such \rfile"), nodes=[evil])
    (one,) = seen.nodes
    assert (one.hostname, one.labels, one.message) == ("wkr11m", {"az": "a"}, "gone\nfor good")
    assert seen.tasks[0].error == "no such file"
