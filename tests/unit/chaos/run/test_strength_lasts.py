"""Full strength must last, what nobody saw is unknown, and what others did is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal, TaskRecord
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.run.judging.judgement import Judgement, ServiceJudgement
from swarmctl.chaos.run.judging.settling import LIMIT_S, settling_s
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import RestartPolicy, Service, Swarm
from tests.unit.chaos.simulated_swarm import DETECT_S, RUN_S, Lab, service, stamp, task, workers
from tests.unit.chaos.stage import Stage, stage


def sentence(journal: Journal) -> str:
    assert journal.verdict is not None
    return journal.verdict.sentence


# -- full strength must last ----------------------------------------------------------------------


def crash_loop(lab: Lab, lives_s: float) -> None:
    """Every replacement dies some seconds after it began to run."""
    run = lab._run

    def run_a_while(task_id: str) -> None:
        run(task_id)
        lab.clock.at(lab.clock.now() + lives_s, lambda: lab.end_tasks([task_id]))

    lab._run = run_a_while  # type: ignore[method-assign]  # this Swarm's


def test_a_replacement_that_crash_loops_is_refuted(tmp_path: Path) -> None:
    """Broken: the verdict falls 1 s after full strength, between two crashes."""
    s = stage(tmp_path, services=[service("web", 3)], timeout_s=60)
    crash_loop(s.lab, lives_s=3)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert len(journal.moments("shortage")) > 1
    assert "web 2/3" in sentence(journal)


def test_a_replacement_that_crashed_once_must_live_twice_as_long(tmp_path: Path) -> None:
    s = stage(tmp_path, services=[service("web", 3)])
    s.clock.at(DETECT_S + RUN_S + 6, lambda: s.lab.end_tasks([s.lab.tasks[-1].id]))
    journal = s.experiment.run()
    assert journal.outcome == "held"
    first, last = journal.moments("redistributed")
    crash = journal.moment("shortage") or 0.0
    assert (journal.moment("verdict") or 0.0) - last >= 2 * (crash - first)


@pytest.mark.parametrize(
    ("changes", "lived_s", "needed_s"),
    [
        ({}, None, 5),
        ({"update_monitor": 12.0}, None, 12),
        ({"restart": RestartPolicy(window=30.0)}, None, 30),
        ({"restart": RestartPolicy(window=300.0)}, None, LIMIT_S),
        ({}, 10.0, 25),
        ({"restart": RestartPolicy(delay=1.0)}, 0.5, 5),
    ],
)
def test_how_long_strength_must_last(
    changes: dict[str, object], lived_s: float | None, needed_s: float
) -> None:
    swarm = Swarm((), (service("web", 2, **changes),), ())
    judged = ServiceJudgement("web", "replicated", 2, 1, 1, frozenset({"new"}))
    record = TaskRecord("t", "web", 1, "wkr1", "failed", 0.0, 1.0, 2.0, 2.0 + (lived_s or 0.0))
    tasks = () if lived_s is None else (record,)
    assert settling_s(swarm, Judgement((judged,), ()), tasks) == needed_s


def test_a_replica_that_failed_after_a_longer_life_than_was_watched_leaves_it_open(
    tmp_path: Path,
) -> None:
    """Broken: every replica dies after 70 s, the second is watched for 60 s: HELD."""
    s = stage(tmp_path, services=[service("web", 3)], fault="drain", duration_s=90)
    crash_loop(s.lab, lives_s=70)
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert (
        "a replica of web failed after it had run for 70 s; full strength was watched for 60 s only"
        in sentence(journal)
    )


def test_only_tasks_that_ran_and_failed_show_how_long_one_lives() -> None:
    swarm = Swarm((), (service("web", 2),), ())
    judged = Judgement((ServiceJudgement("web", "replicated", 2, 1, 1, frozenset({"new"})),), ())
    failed = TaskRecord("t", "web", 1, "wkr1", "failed", 0.0, 1.0, None, 40.0)
    lives = replace(failed, state="running", running_s=2.0, ended_s=None)
    stopped = replace(failed, state="shutdown", running_s=2.0)
    assert settling_s(swarm, judged, [failed, lives, stopped]) == 5


def test_replicas_that_ran_on_need_not_settle() -> None:
    swarm, kept = (
        Swarm((), (service("web", 2),), ()),
        ServiceJudgement("web", "replicated", 2, 0, 2),
    )
    assert settling_s(swarm, Judgement((kept,), ()), ()) == 0


def dies_at(s: Stage, moment: float) -> None:
    """One replica of web dies; Swarm starts it again in ``RUN_S``."""
    web = next(t.id for t in s.lab.tasks if t.service_id == "svc-web")
    s.clock.at(moment, lambda: s.lab.end_tasks([web]))


def test_a_replica_that_dies_late_has_its_own_time_to_return(tmp_path: Path) -> None:
    """Broken: back after 6 s, and refuted with "full strength after 48 s, allowed: 15 s"."""
    s = stage(tmp_path, fault="cpu", duration_s=50, timeout_s=15)
    dies_at(s, 40)
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert f"1 restarted after {RUN_S:.1f} s" in sentence(journal)


def test_a_replica_that_dies_late_and_returns_too_late_is_refuted(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="cpu", duration_s=50, timeout_s=RUN_S - 1)
    dies_at(s, 40)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    verdict = journal.moment("verdict") or 0.0
    assert verdict < 55  # the time allowed counts from the loss, and it has an end


def test_an_early_return_that_came_too_late_stays_refuted(tmp_path: Path) -> None:
    """Broken: a second loss that is soon over makes the slow return before it forgotten."""
    within_s = DETECT_S + RUN_S - 2
    s = stage(tmp_path, duration_s=50, timeout_s=within_s)
    s.clock.at(40, lambda: s.lab.end_tasks([s.lab.tasks[0].id]))
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert f"allowed: {within_s:g} s" in sentence(journal)


def never_replaced(root: Path, policy: RestartPolicy, *more: Service) -> Stage:
    """The managers tell the lost tasks to stop, and make no new ones."""
    s = stage(root, services=[service("web", 3, restart=policy), *more], reschedules=False)

    def told_to_stop() -> None:
        for lost in s.lab.tasks:
            if lost.node_id == "id-wkr2":
                s.lab._change(lost.id, desired_state="shutdown")

    s.clock.at(DETECT_S + 3, told_to_stop)
    return s


def test_a_replica_that_cannot_come_back_is_not_waited_for(tmp_path: Path) -> None:
    journal = never_replaced(tmp_path, RestartPolicy(condition="none")).experiment.run()
    assert journal.outcome == "refuted"
    assert (
        "web: the replica in slot 2 (last on wkr2) cannot come back (restart condition none)"
        in (sentence(journal))
    )
    fault, verdict = journal.moment("fault") or 0.0, journal.moment("verdict") or 0.0
    assert verdict - fault < DETECT_S + 6
    back, end = journal.moment("reverted") or 0.0, journal.ended_s or 0.0
    assert end - back < 5  # nor after the revert


def test_services_that_can_recover_are_still_waited_for(tmp_path: Path) -> None:
    """Broken: one replica cannot come back, and another service is called short for no reason."""
    s = never_replaced(tmp_path, RestartPolicy(condition="none"), service("api", 3))
    (lost,) = (t for t in s.lab.tasks if t.place == (2, "") and t.service_id == "svc-api")
    s.clock.at(DETECT_S + 20, lambda: s.lab._assign(lost, "wkr1"))
    verdict = s.experiment.run().verdict
    assert verdict is not None
    assert {one.service: one.held for one in verdict.services} == {"web": False, "api": True}


def test_a_replica_that_may_come_back_is_waited_for(tmp_path: Path) -> None:
    journal = never_replaced(tmp_path, RestartPolicy()).experiment.run()
    assert (journal.moment("verdict") or 0.0) - (journal.moment("fault") or 0.0) >= 120


# -- what nobody saw ------------------------------------------------------------------------------


def blind(root: Path, meanwhile: Callable[[Lab], None]) -> Journal:
    """No manager answers for 6 s of a run that is never to have less than 10 replicas."""
    hypothesis = Hypothesis(within_s=60, never_below={"web": 10})
    s = stage(root, fault="cpu", hypothesis=hypothesis)

    def close() -> None:
        s.lab.fail["snapshot"] = SwarmctlError("no manager answers")
        meanwhile(s.lab)

    s.clock.at(10, close)
    s.clock.at(16, s.lab.fail.clear)
    return s.experiment.run()


def test_replicas_that_may_have_died_unseen_prove_nothing(tmp_path: Path) -> None:
    def all_anew(lab: Lab) -> None:
        lab.tasks = [
            replace(t, id=f"{t.id}.new", created_at=stamp(lab.clock.now())) for t in lab.tasks
        ]

    journal = blind(tmp_path, all_anew)
    assert journal.outcome == "inconclusive"
    assert "web may have had only 0 replicas, minimum: 10" in sentence(journal)
    assert "the Swarm was not observed for 6." in sentence(journal)


def test_replicas_that_ran_on_as_the_same_tasks_need_not_be_seen(tmp_path: Path) -> None:
    journal = blind(tmp_path, lambda lab: None)
    assert journal.outcome == "held"
    assert [stretch.kept["web"] for stretch in journal.unseen] == [10]


# -- what others did ------------------------------------------------------------------------------


def changed(lab: Lab, name: str, **changes: object) -> None:
    lab.services = [
        replace(s, **changes) if s.name == name else s  # type: ignore[arg-type]  # its own fields
        for s in lab.services
    ]


def scale(lab: Lab) -> None:
    changed(lab, "web", replicas=12)
    lab.tasks += [task("web", slot, "wkr1", created=lab.clock.now()) for slot in (11, 12)]


def update(lab: Lab) -> None:
    changed(lab, "web", image="httpd:2.5")


def create(lab: Lab) -> None:
    lab.services = [*lab.services, Service("svc-x", "extra", "replicated", 0, "httpd:2.4", 1)]


def drain_another(lab: Lab) -> None:
    lab.set_availability("wkr3", "drain")


def stop_another(lab: Lab) -> None:
    lab.stop("i-wkr3")


@pytest.mark.parametrize(
    ("change", "text", "outcome"),
    [
        (scale, "web was scaled from 10 to 12", "inconclusive"),
        (update, "web was updated (httpd:2.4 → httpd:2.5)", "inconclusive"),
        (create, "service extra was created", "held"),
        (drain_another, "wkr3 was set to drain", "held"),
        (stop_another, "wkr3 went from ready to down", "held"),
    ],
)
def test_what_others_change_is_named_in_the_verdict(
    tmp_path: Path, change: Callable[[Lab], None], text: str, outcome: str
) -> None:
    s = stage(tmp_path, nodes=workers(4))
    s.clock.at(8, lambda: change(s.lab))
    journal = s.experiment.run()
    assert journal.verdict is not None
    assert any(one.startswith(f"{text} (+") for one in journal.verdict.meanwhile)
    assert f"; meanwhile: {text} (+" in sentence(journal)
    assert journal.outcome == outcome
    # Nothing more can come of a run that proves nothing: it is not carried on.
    assert (journal.moment("verdict") or 0.0) < 60


def test_a_change_during_the_revert_is_named_too(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.hooks["start"] = lambda: create(s.lab)
    assert "; meanwhile: service extra was created (+" in sentence(s.experiment.run())


@pytest.mark.parametrize("fault", ["instance-stop", "drain"])
def test_what_the_run_does_itself_is_not_named(tmp_path: Path, fault: str) -> None:
    assert "meanwhile" not in sentence(stage(tmp_path, fault=fault).experiment.run())
