"""What is, and what is not, proof that a Swarm recovered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from swarmctl.chaos.run.judging import reasons, words
from swarmctl.chaos.run.judging.judgement import (
    Baseline,
    Judgement,
    ServiceJudgement,
    judge,
    lost_for_good,
    never_back,
    not_judged,
    only_missing,
    placement,
    shortages,
    wanted,
)
from swarmctl.swarm.model import RestartPolicy, Service, Swarm, Task
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


def test_a_second_task_in_the_slot_of_a_replica_that_stayed_is_no_replica_more() -> None:
    swarm = after(BEFORE[0], fresh(1, "wkr3"), fresh(3, "wkr3"))
    web = judge(baseline(), swarm).services[0]
    assert (web.serving, web.stayed, web.replaced) == (2, 1, frozenset({"web.3.new"}))


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


AGENT = service("agent", 0, mode="global")
JOBS = (service("job", 1, mode="replicated-job"), service("scan", 0, mode="global-job"))


def test_jobs_are_left_out_with_the_reason() -> None:
    swarm = Swarm(tuple(workers(3)), (WEB, *JOBS, AGENT), tuple(BEFORE))
    assert wanted(swarm) == {"web": 3, "agent": 4}
    assert not_judged(swarm) == {
        "job": "a replicated-job runs to its end, it does not serve",
        "scan": "a global-job runs to its end, it does not serve",
    }
    assert placement(swarm) == {"web": {"wkr1": 1, "wkr2": 2}, "agent": {}}


def test_shortages_say_how_many_serve_of_how_many() -> None:
    swarm = after(*BEFORE)
    (found,) = shortages(swarm)
    assert (found.service, found.serving, found.wanted) == ("web", 1, 3)
    assert found.causes == (reasons.Missing("2 on wkr2, which is down"),)
    assert [one.wanted for one in shortages(swarm, {"web": 2})] == [3]
    assert [one.wanted for one in shortages(swarm, {"web": 4, "db": 9})] == [4]


def test_a_global_service_wants_one_less_without_the_target() -> None:
    agents = [task("agent", 0, n.hostname, suffix=n.hostname) for n in workers(3)]
    start = baseline((AGENT,), agents)
    kept = [one for one in agents if one.node_id != "id-wkr2"]
    judgement = judge(start, Swarm(down(), (AGENT,), tuple(kept)))
    assert judgement.services == (ServiceJudgement("agent", "global", 3, 1, 3),)
    assert judgement.held
    short = judge(start, Swarm(down(), (AGENT,), tuple(kept[1:])))
    assert short.services[0].causes == (reasons.Missing("not running yet"),)


def test_a_killed_task_is_replaced_anywhere_and_its_node_need_not_be_down() -> None:
    swarm = Swarm(tuple(workers(3)), (WEB,), tuple(BEFORE))
    start = Baseline(
        swarm, frozenset(), baseline().fault_at, frozenset({BEFORE[1].id}), must_be_down=False
    )
    assert [judge(start, swarm).services[0].serving, judge(start, swarm).held] == [2, False]
    judgement = judge(start, replace(swarm, tasks=(BEFORE[0], BEFORE[2], fresh(2, "wkr2"))))
    new = frozenset({"web.2.new"})
    assert judgement.services == (ServiceJudgement("web", "replicated", 3, 1, 2, new),)
    paused = replace(baseline(), must_be_down=False)
    assert judge(paused, swarm).not_down == ()


@pytest.mark.parametrize(("early_s", "held"), [(1.9, True), (2.0, True), (2.1, False)])
def test_a_replacement_may_seem_older_than_the_fault_by_the_clocks_difference(
    early_s: float, held: bool
) -> None:
    twin = fresh(2, "wkr1", created=FAULT_S - early_s)
    judgement = judge(baseline(), after(BEFORE[0], twin, fresh(3, "wkr3")))
    assert judgement.held is held
    if not held:
        text = f"task web.2.new runs, but was created {early_s} s before the fault"
        assert text in said(judgement)[0]


def test_a_task_of_an_unknown_age_says_so() -> None:
    unknown = replace(fresh(2, "wkr1"), created_at="")
    judgement = judge(baseline(), after(BEFORE[0], unknown, fresh(3, "wkr3")))
    assert judgement.services[0].causes[0] == reasons.NoProof("web.2.new")
    assert "task web.2.new runs, but has no creation time" in said(judgement)[0]


def test_a_service_that_was_changed_is_judged_by_what_it_was() -> None:
    whole = after(BEFORE[0], fresh(2, "wkr1"), fresh(3, "wkr3"))
    grown = judge(baseline(), replace(whole, services=(replace(WEB, replicas=4),)))
    assert grown.services[0].causes == (reasons.Scaled(3, 4),)
    gone = judge(baseline(), replace(whole, services=()))
    removed = ServiceJudgement("web", "replicated", 3, 2, causes=(reasons.Removed(),))
    assert gone.services == (removed,)


NEVER = replace(WEB, restart=RestartPolicy("none"))
WHY = "restart condition none"


def lost_by_policy(*slots: int) -> Swarm:
    """Both replicas of wkr2 ended; only these slots have not been filled again."""
    dead = ended(*(replace(t, state="orphaned") for t in BEFORE[1:]))
    new = [fresh(slot, "wkr3") for slot in (2, 3) if slot not in slots]
    return Swarm(down(), (AGENT, NEVER), (BEFORE[0], *dead, *new))


def never(slot: int, where: str = "wkr2") -> reasons.NeverBack:
    return reasons.NeverBack("web", f"in slot {slot} (last on {where})", WHY)


def test_a_replica_that_its_policy_never_starts_again_is_named_with_its_place() -> None:
    swarm = lost_by_policy(2, 3)
    assert lost_for_good(swarm, "web") == (never(2), never(3))
    assert lost_for_good(swarm, "hub") == ()
    without = replace(swarm, nodes=tuple(n for n in swarm.nodes if n.hostname != "wkr2"))
    assert lost_for_good(without, "web")[0] == never(2, "no node")


@pytest.mark.parametrize("slots", [(2, 3), (3,), ()])
def test_waiting_ends_when_only_replicas_are_missing_that_never_return(
    slots: tuple[int, ...],
) -> None:
    swarm = lost_by_policy(*slots)
    latest = judge(baseline((NEVER,)), swarm)
    gone = never_back(swarm, latest)
    assert gone == tuple(map(never, slots))
    assert only_missing(latest, gone)
    assert only_missing(latest, gone[1:]) is not bool(slots)


def test_another_missing_replica_is_worth_waiting_for() -> None:
    def judged(name: str, stayed: int, *causes: reasons.Cause) -> ServiceJudgement:
        return ServiceJudgement(name, "replicated", 3, 1, stayed, causes=causes)

    missing = reasons.Missing("starting")
    one = judged("web", 2, missing)
    assert only_missing(Judgement((one, judged("db", 0)), ()), [never(2)])
    assert not only_missing(Judgement((one,), ()), [])
    assert not only_missing(Judgement((judged("web", 1, missing),), ()), [never(2)])
    assert only_missing(Judgement((judged("web", 1, missing),), ()), [never(2), never(3)])
    assert not only_missing(Judgement((one, judged("db", 2, missing)), ()), [never(2)])


@pytest.mark.parametrize("returns", [True, False])
def test_a_fault_that_was_not_complete_refutes_only_if_the_nodes_were_to_come_back(
    returns: bool,
) -> None:
    assert reasons.refutes(reasons.FaultUnfinished(returns)) is returns
