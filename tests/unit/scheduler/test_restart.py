"""Which tasks come back, and how often a slot was restarted."""

from __future__ import annotations

import pytest

from swarmctl.scheduler.restart import History, NotReplaced, displaced, never_back
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw, node, service, swarm, task

GONE = {"state": "failed", "desired": "shutdown"}


def minute(at: int) -> str:
    return f"2026-01-01T12:{at:02}:00Z"


def restarts(window_s: int, created: list[int], ended: int) -> int:
    """The restarts of a slot whose tasks were created in these minutes; its last one has ended."""
    policy = {"Condition": "any", "MaxAttempts": 9, "Window": window_s * 10**9}
    web = service("web", restart=policy)
    tasks = [task(web, 1, "a", created=minute(m), at=minute(ended), **GONE) for m in created]
    found = parse_swarm(swarm([node("a")], [(web, {})], extra=tasks))
    return History(found).restarts(found.tasks[-1], found.services[0])


@pytest.mark.parametrize(
    ("window_s", "created", "ended", "counted"),
    [
        (0, [1], 9, 0),  # the first task of a slot is no restart
        (0, [1, 2, 3], 9, 2),
        (0, [3, 2, 1], 9, 2),  # in whichever order they are listed
        (300, [1, 3, 5, 7], 9, 2),  # at 5 and 7
        (300, [1, 4, 5], 9, 1),  # at 4: 300 s ago, and no longer counted
        (300, [1, 5, 9], 9, 1),  # at 9: the moment itself, not before it
    ],
)
def test_the_restarts_within_the_window_count(
    window_s: int, created: list[int], ended: int, counted: int
) -> None:
    assert restarts(window_s, created, ended) == counted


def test_a_task_of_an_earlier_spec_is_no_restart() -> None:
    web = service("web", restart={"Condition": "any", "MaxAttempts": 3})
    tasks = [task(web, 1, "a", created=minute(m), **GONE) for m in (1, 2, 3)]
    tasks[0]["Spec"] = {"ContainerSpec": {"Image": "httpd:2.2"}}
    found = parse_swarm(swarm([node("a")], [(web, {})], extra=tasks))
    assert History(found).restarts(found.tasks[-1], found.services[0]) == 1


ONCE = {"Condition": "none"}


def never(of: Raw, *tasks: Raw) -> list[tuple[int, NotReplaced]]:
    found = parse_swarm(swarm([node("a")], [(of, {})], extra=tasks))
    return [(task.slot, why) for task, why in never_back(found, found.services[0])]


def test_a_slot_whose_last_task_may_not_be_replaced_stays_empty() -> None:
    web = service("web", 3, restart=ONCE)
    tasks = [
        task(web, 1, "a", **GONE),
        task(web, 2, "a"),  # runs
        task(web, 3, "a", state="failed"),  # the orchestrator has not decided yet
    ]
    assert never(web, *tasks) == [(1, NotReplaced.CONDITION)]


def test_the_newest_task_of_a_slot_decides_in_whichever_order_they_are_listed() -> None:
    web = service("web", restart=ONCE)
    old, new = task(web, 1, "a", created=minute(1), **GONE), task(web, 1, "a", created=minute(2))
    assert never(web, old, new) == never(web, new, old) == []
    old, new = task(web, 1, "a", created=minute(1)), task(web, 1, "a", created=minute(2), **GONE)
    assert never(web, old, new) == never(web, new, old) == [(1, NotReplaced.CONDITION)]


def test_a_slot_that_will_be_filled_again_is_not_lost() -> None:
    web = service("web", restart={"Condition": "any"})
    assert never(web, task(web, 1, "a", **GONE)) == []


def test_a_slot_that_has_used_up_its_attempts_stays_empty() -> None:
    web = service("web", restart={"Condition": "any", "MaxAttempts": 2})
    tasks = [task(web, 1, "a", created=minute(m), **GONE) for m in (1, 2, 3)]
    assert never(web, *tasks[:2]) == []
    assert never(web, *tasks) == [(1, NotReplaced.ATTEMPTS)]


@pytest.mark.parametrize("mode", ["Global", "ReplicatedJob", "GlobalJob"])
def test_only_replicated_services_have_slots_that_stay_empty(mode: str) -> None:
    web = service("web", mode=mode, restart=ONCE)
    assert never(web, task(web, 1, "a", **GONE)) == []


def test_a_task_of_a_service_that_had_finished_is_lost_unless_the_condition_is_any() -> None:
    done = {"state": "complete", "desired": "shutdown"}
    for condition, lost in (("any", []), ("on-failure", [(1, NotReplaced.FINISHED)])):
        web = service("web", restart={"Condition": condition})
        assert never(web, task(web, 1, "a", **done)) == lost


def test_a_task_of_a_job_that_has_completed_is_not_run_again_when_its_node_is_lost() -> None:
    job = service("job", mode="ReplicatedJob", restart={"Condition": "any"})
    done = task(job, 1, "a", state="complete", desired="complete")
    runs = task(job, 2, "a", state="running", desired="complete")
    found = parse_swarm(swarm([node("a")], [(job, {})], extra=[done, runs]))
    services = {s.id: s for s in found.services}
    assert [t.slot for t in displaced(found.tasks, services, History(found)).prompt] == [2]
