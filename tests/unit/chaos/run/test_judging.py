"""What is, and what is not, proof that a Swarm recovered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from swarmctl.chaos.run.judging import reasons, words
from swarmctl.chaos.run.judging.judgement import Baseline, Judgement, judge, placement, shortages
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import START, node, service, task, workers

WEB = service("web", 3)
BEFORE = [task("web", 1, "wkr1"), task("web", 2, "wkr2"), task("web", 3, "wkr2")]
# Fault at run time 10 s, by the managers' clock.
FAULT_S = 10.0


def baseline(services: tuple[Service, ...] = (WEB,), tasks: list[Task] | None = None) -> Baseline:
    swarm = Swarm(tuple(workers(3)), services, tuple(tasks or BEFORE))
    at = START + timedelta(seconds=40 + FAULT_S)  # the managers' clock, see simulated_swarm.SKEW
    return Baseline(swarm, frozenset({"id-wkr2"}), at)


def down(*names: str) -> tuple[Node, ...]:
    gone = names or ("wkr2",)
    return tuple(
        node(n.hostname, n.role, "down" if n.hostname in gone else "ready") for n in workers(3)
    )


def after(*tasks: Task, nodes: tuple[Node, ...] | None = None) -> Swarm:
    return Swarm(nodes or down(), (WEB,), tasks)


def ended(*tasks: Task) -> list[Task]:
    """The lost tasks as they stay: told to shut down, still saying "running"."""
    return [replace(t, desired_state="shutdown") for t in tasks]


def fresh(slot: int, on: str, created: float = FAULT_S + 13) -> Task:
    return task("web", slot, on, created=created, suffix="new")


def said(judgement: Judgement) -> tuple[str, ...]:
    return tuple(map(words.reason, judgement.reasons))


def short(swarm: Swarm, at_least: dict[str, int] | None = None) -> tuple[str, ...]:
    return tuple(map(words.reason, shortages(swarm, at_least)))


def test_replacements_on_live_nodes_after_the_fault_hold() -> None:
    swarm = after(BEFORE[0], *ended(*BEFORE[1:]), fresh(2, "wkr1"), fresh(3, "wkr3"))
    judgement = judge(baseline(), swarm)
    assert judgement.held
    web = judgement.services[0]
    assert (web.wanted, web.lost, web.stayed, len(web.replaced)) == (3, 2, 1, 2)
    assert judgement.replacements == {"web.2.new", "web.3.new"}


def test_a_down_node_whose_replicas_are_still_counted_is_not_accepted() -> None:
    """`docker service ls` says 3/3 at this moment."""
    judgement = judge(baseline(), after(*BEFORE))
    assert not judgement.held
    assert said(judgement) == ("web 1/3: 2 on wkr2, which is down",)


def test_a_target_that_is_not_down_yet_is_not_accepted() -> None:
    swarm = after(BEFORE[0], fresh(2, "wkr1"), fresh(3, "wkr3"), nodes=tuple(workers(3)))
    judgement = judge(baseline(), swarm)
    assert not judgement.held
    assert said(judgement) == ("wkr2: the managers do not call it Down",)


def test_a_replica_on_the_dead_node_is_not_counted_even_if_it_is_called_ready() -> None:
    nodes = tuple(workers(3))
    judgement = judge(baseline(), after(*BEFORE, nodes=nodes))
    assert judgement.services[0].serving == 1


def test_a_new_replica_on_the_target_is_not_counted() -> None:
    """A clean shutdown makes Swarm try the dying node once more before it is Down."""
    swarm = after(BEFORE[0], fresh(2, "wkr2"), fresh(3, "wkr3"), nodes=tuple(workers(3)))
    assert judge(baseline(), swarm).services[0].serving == 2


def test_a_replacement_created_before_the_fault_is_not_accepted() -> None:
    early = fresh(2, "wkr1", created=FAULT_S - 30)
    judgement = judge(baseline(), after(BEFORE[0], early, fresh(3, "wkr3")))
    assert not judgement.held
    assert "was created 30.0 s before the fault" in said(judgement)[0]


def test_a_task_known_before_the_fault_is_no_replacement_whatever_its_time_says() -> None:
    idle = task("web", 2, "wkr1", state="ready", desired="ready", created=99, suffix="x")
    start = baseline(tasks=[*BEFORE, idle])
    now_running = replace(idle, state="running", desired_state="running")
    judgement = judge(start, after(BEFORE[0], now_running, fresh(3, "wkr3")))
    assert not judgement.held
    assert "existed before the fault" in said(judgement)[0]


def test_a_task_that_does_not_say_when_it_was_created_is_not_accepted() -> None:
    swarm = after(BEFORE[0], replace(fresh(2, "wkr1"), created_at=""), fresh(3, "wkr3"))
    assert not judge(baseline(), swarm).held


def test_two_tasks_of_one_slot_are_one_replica() -> None:
    twin = task("web", 3, "wkr1", created=FAULT_S + 14, suffix="twin")
    judgement = judge(baseline(), after(BEFORE[0], fresh(3, "wkr3"), twin))
    assert not judgement.held
    web = judgement.services[0]
    assert (web.serving, web.stayed, len(web.replaced)) == (2, 1, 1)


def test_a_replica_meant_to_stop_is_not_counted() -> None:
    swarm = after(BEFORE[0], replace(fresh(2, "wkr1"), desired_state="shutdown"), fresh(3, "wkr3"))
    assert not judge(baseline(), swarm).held


def test_a_replica_on_another_node_that_died_too_is_not_counted() -> None:
    swarm = after(BEFORE[0], fresh(2, "wkr1"), fresh(3, "wkr3"), nodes=down("wkr2", "wkr3"))
    assert judge(baseline(), swarm).services[0].serving == 2


def test_scaling_down_is_no_recovery() -> None:
    swarm = replace(after(BEFORE[0]), services=(replace(WEB, replicas=1),))
    judgement = judge(baseline(), swarm)
    assert not judgement.held
    assert "scaled from 3 to 1 during the run" in said(judgement)[-1]


def test_removing_the_service_is_no_recovery() -> None:
    judgement = judge(baseline(), replace(after(), services=()))
    assert said(judgement) == ("web 0/3: the service was removed during the run",)


def test_a_pending_replica_gives_swarms_own_reason() -> None:
    text = (
        "no suitable node (insufficient resources on 2 nodes; 1 node not available for new tasks)"
    )
    pending = [
        replace(t, node_id="", state="pending", error=text) for t in (fresh(2, ""), fresh(3, ""))
    ]
    judgement = judge(baseline(), after(BEFORE[0], *pending))
    assert said(judgement) == (f"web 1/3: 2 pending: {text}",)


def test_a_replica_lost_by_its_restart_policy_is_named() -> None:
    """`condition: none`: the task ends and nothing takes its place."""
    gone = [
        replace(t, state="orphaned", desired_state="shutdown", message="node is gone")
        for t in BEFORE[1:]
    ]
    judgement = judge(baseline(), after(BEFORE[0], *gone))
    assert not judgement.held
    assert "2 orphaned on wkr2, not replaced" in said(judgement)[0]


def test_a_broken_replacement_gives_its_error() -> None:
    broken = replace(fresh(2, "wkr3"), state="starting", error="unhealthy container")
    judgement = judge(baseline(), after(BEFORE[0], broken, fresh(3, "wkr3")))
    assert said(judgement) == ("web 2/3: 1 starting on wkr3: unhealthy container",)


def test_a_job_is_not_judged() -> None:
    job = service("job", 1, mode="replicated-job")
    judgement = judge(
        baseline(services=(WEB, job)),
        replace(after(BEFORE[0], fresh(2, "wkr1"), fresh(3, "wkr3")), services=(WEB, job)),
    )
    assert judgement.held
    assert [outcome.service for outcome in judgement.services] == ["web"]


def test_a_returned_node_must_get_its_global_task_back() -> None:
    agent = service("agent", 0, mode="global")
    tasks = [task("agent", 0, n.hostname, suffix=n.hostname) for n in workers(3)]
    back = Swarm(tuple(workers(3)), (agent,), tuple(tasks[:-1]))
    assert short(back) == ("agent 3/4: not running yet",)
    still_down = replace(back, nodes=down("wkr3"))
    assert short(still_down) == ()
    assert short(still_down, {"agent": 4}) == ("agent 3/4: not running yet",)


def test_placement_leaves_out_the_dead() -> None:
    assert placement(after(*BEFORE)) == {"web": {"wkr1": 1}}
    assert placement(after(*BEFORE, nodes=tuple(workers(3))), {"id-wkr2"}) == {"web": {"wkr1": 1}}


def test_every_reason_has_words() -> None:
    kinds = {*get_args(reasons.Reason), *get_args(reasons.Cause)}
    assert kinds == {*words._WORDS, reasons.Shortage, reasons.NoProof}


@pytest.mark.parametrize(
    ("why", "text"),
    [
        (reasons.BelowMinimum("web", 3, 8, 1.25), "web had 3 replicas at +1.2 s, minimum: 8"),
        (reasons.TooLate(19.04, 15), "full strength after 19.0 s, allowed: 15 s"),
        (reasons.ProbesLost("web", 0.9, 40, 1.0), "web: 90.00% of 40 probes succeeded, minimum: "),
        (reasons.OutageTooLong("web", 3.0, 2.5), "web: an outage of 3.0 s, allowed: 2.5 s"),
    ],
)
def test_a_reason_names_what_was_seen_and_what_is_allowed(why: reasons.Reason, text: str) -> None:
    assert words.reason(why).startswith(text)
