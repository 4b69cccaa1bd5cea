"""``Experiments``, the way in for callers other than the command line: no terminal, no printing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from swarmctl.chaos.experiments import Experiments, LockReverted
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs, brief
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.run.interrupts import InterruptedRunError
from swarmctl.discovery.listeners.load_balancer.urls import Url
from swarmctl.errors import RefusedError, SwarmctlError, UsageError
from swarmctl.swarm import lock
from tests.unit.chaos.doctor.place import RUN, pending
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.stage import Quiet, Stage, stage
from tests.unit.engine_fake import FakeEngine, service_spec

DRAWN = Plan("instance-stop", Selection(role="worker", seed=1))
ANN = lock.Owner("ann", "laptop", 7, "chaos x")
LATER = "2026-01-31T13:00:00Z"  # the time of ANN's lock is over


Asked = list[tuple[str | None, str | None]]


def simulated(
    root: Path, s: Stage, cluster: str | None = None, asked: Asked | None = None
) -> Experiments:
    """Experiments on the simulated cluster; ``asked`` gets the names and regions asked for."""

    def find(name: str | None, region: str | None) -> SimulatedCluster:
        if asked is not None:
            asked.append((name, region))
        return SimulatedCluster(s.lab)

    return Experiments(Runs(root), Quiet(), cluster, find)


@pytest.fixture
def s(tmp_path: Path) -> Stage:
    return stage(tmp_path)


def test_a_draw_is_shown_to_whoever_must_consent(tmp_path: Path, s: Stage) -> None:
    shown: list[object] = []

    def no(lines: object) -> None:
        shown.append(lines)
        raise InterruptedRunError("called off")

    ended: list[Journal] = []
    with pytest.raises(InterruptedRunError):
        simulated(tmp_path, s).run(DRAWN, no, ended.append)
    assert len(shown) == 1
    assert [journal.outcome for journal in ended] == ["interrupted"]
    assert s.lab.log == []


def test_the_option_wins_over_the_cluster_of_the_file(tmp_path: Path, s: Stage) -> None:
    plan = Plan("instance-stop", Selection(names=("wkr2",)), cluster="of_the_file")
    for given, expected in ((None, "of_the_file"), ("given", "given")):
        asked: Asked = []
        assert simulated(tmp_path, s, given, asked).rehearse(plan).outcome == "rehearsed"
        assert asked == [(expected, None)]


def test_a_plan_that_makes_no_sense_asks_no_cluster(tmp_path: Path, s: Stage) -> None:
    asked: Asked = []
    with pytest.raises(UsageError):
        simulated(tmp_path, s, None, asked).run(Plan("task-kill", DRAWN.selection))
    assert asked == []


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reverts take no time; returns the ids of the runs that were reverted."""
    done: list[str] = []

    def revert(journal: Journal, *rest: object) -> None:
        done.append(journal.id)

    monkeypatch.setattr("swarmctl.chaos.experiments.revert", revert)
    return done


def test_a_run_is_reverted_in_its_own_cluster_and_region(
    tmp_path: Path, s: Stage, at_once: list[str]
) -> None:
    Runs(tmp_path).save(pending(cluster="shop"))
    asked: Asked = []
    assert simulated(tmp_path, s, "another", asked).revert() == (RUN,)
    assert asked == [("shop", "eu-central-1")]
    assert at_once == [RUN]


def test_a_plan_from_the_swarm_is_stored_here_and_carried_out(
    tmp_path: Path, s: Stage, at_once: list[str]
) -> None:
    lock.acquire(s.lab.engine, lock.CHAOS, 600, ANN, brief(pending()))
    s.lab.engine.time = LATER
    assert simulated(tmp_path, s).revert_from_swarm() == LockReverted(str(ANN), RUN)
    assert at_once == Runs(tmp_path).ids() == [RUN]


def test_a_plan_that_is_carried_out_is_not_carried_out_again(
    tmp_path: Path, s: Stage, at_once: list[str]
) -> None:
    Runs(tmp_path).save(pending(state="done"))
    lock.acquire(s.lab.engine, lock.CHAOS, 600, ANN, brief(pending()))
    s.lab.engine.time = LATER
    simulated(tmp_path, s).revert_from_swarm()
    assert at_once == []
    assert lock.find(s.lab.engine, lock.CHAOS) is None


def test_a_lock_without_a_plan_is_released(tmp_path: Path, s: Stage) -> None:
    experiments = simulated(tmp_path, s)
    assert experiments.revert_from_swarm() == LockReverted()
    lock.acquire(s.lab.engine, lock.CHAOS, 600, ANN)
    s.lab.engine.time = LATER
    assert experiments.revert_from_swarm() == LockReverted(str(ANN))
    assert lock.find(s.lab.engine, lock.CHAOS) is None


def test_an_unknown_cluster_is_no_finding(tmp_path: Path) -> None:
    """Broken: a typing error in --cluster looks like a cluster without leftovers."""

    def unknown(name: str | None, region: str | None) -> SimulatedCluster:
        raise UsageError("unknown cluster")

    def silent(name: str | None, region: str | None) -> SimulatedCluster:
        raise SwarmctlError("EC2 refused")

    with pytest.raises(UsageError):
        Experiments(Runs(tmp_path), Quiet(), "typo", unknown).examine()
    (finding,) = Experiments(Runs(tmp_path), Quiet(), None, silent).examine(fix=True).findings
    assert "EC2 refused" in finding.what


def test_a_run_that_is_alive_is_reverted_only_by_force(
    tmp_path: Path, s: Stage, at_once: list[str]
) -> None:
    lock.acquire(s.lab.engine, lock.CHAOS, 600, ANN, brief(pending()))
    with pytest.raises(RefusedError, match="counts as alive: until 12:10:00"):
        simulated(tmp_path, s).revert_from_swarm()
    assert at_once == Runs(tmp_path).ids() == []
    simulated(tmp_path, s).revert_from_swarm(force=True)
    assert at_once == [RUN]


def test_a_process_on_this_machine_is_alive_however_old_its_lock_is(
    tmp_path: Path, s: Stage, at_once: list[str]
) -> None:
    owner = lock.this_process("chaos x")
    lock.acquire(s.lab.engine, lock.CHAOS, 1, owner, brief(pending()))
    s.lab.engine.time = LATER
    with pytest.raises(RefusedError, match="its process runs on this machine"):
        simulated(tmp_path, s).revert_from_swarm()


def test_no_command_of_the_swarm_is_kept_and_ours_is_asked_for(tmp_path: Path, s: Stage) -> None:
    """Broken: whoever may write to the Swarm runs commands on the operator's machine."""
    plan = pending("replace-instance", run=RUN.replace("stop", "terminate"))
    plan.parameters["replace_with"] = "touch /tmp/stranger"
    lock.acquire(s.lab.engine, lock.CHAOS, 1, ANN, brief(plan))
    s.lab.engine.time = LATER
    s.lab.states["wkr2"] = "terminated"
    shown: list[str] = []

    def no(lines: Sequence[str]) -> None:
        shown.extend(lines)
        raise InterruptedRunError("called off")

    with pytest.raises(InterruptedRunError):
        simulated(tmp_path, s).revert_from_swarm(consent=no)
    assert "ansible-playbook playbooks/site.yml" in shown[0]
    assert "stranger" not in Runs(tmp_path).root.joinpath(plan.id, "journal.json").read_text()


def test_a_killed_rebalance_is_undone(tmp_path: Path, s: Stage) -> None:
    engine = FakeEngine()
    wanted = engine.add("services", service_spec("web", replicas=3))
    other = engine.add("services", service_spec("api", replicas=5))
    plan = {lock.REBALANCE: {wanted: 2, other: 2}}
    lock.acquire(engine, lock.CHAOS, 600, lock.Owner("ann", "laptop", 7, "rebalance"), plan)
    engine.time = LATER
    s.lab.engine = engine  # type: ignore[assignment]  # without nodes
    found = simulated(tmp_path, s).revert_from_swarm()
    assert found.rebalanced
    replicas = [
        e["Spec"]["Mode"]["Replicated"]["Replicas"] for e in engine.store["services"].values()
    ]
    assert replicas == [2, 5], "another client scaled the second one"
    assert engine.names("configs") == []


def test_what_users_request_through_the_load_balancer_is_probed_too(
    tmp_path: Path, s: Stage
) -> None:
    cluster = SimulatedCluster(s.lab, user_urls={"web": Url("http://x/", "http://127.0.0.1:1/")})
    experiments = Experiments(Runs(tmp_path), Quiet(), None, lambda name, region: cluster)
    plan = Plan("instance-stop", Selection(names=("wkr2",)))
    # Nothing answers there, so the run is refused; it never came to the fault.
    with pytest.raises(RefusedError, match=r"web \(load balancer\) \(http://127.0.0.1:1/\)"):
        experiments.run(plan)
    assert "stop wkr2" not in s.lab.log


def test_a_service_that_only_the_load_balancer_may_reach_is_not_asked_from_here(
    tmp_path: Path, s: Stage
) -> None:
    url = {"web": Url("http://x/", "http://127.0.0.1:1/")}
    cluster = SimulatedCluster(s.lab, user_urls=url, behind_balancer=["web"])
    experiments = Experiments(Runs(tmp_path), Quiet(), None, lambda name, region: cluster)
    with pytest.raises(RefusedError) as refused:
        experiments.run(Plan("instance-stop", Selection(names=("wkr2",))))
    assert str(refused.value).count("http://") == 1, "only the load balancer's URL was asked"


def test_a_load_balancer_that_cannot_be_asked_for_is_said(tmp_path: Path, s: Stage) -> None:
    cluster = SimulatedCluster(s.lab, urls_fail="no permission")
    progress = Quiet()
    experiments = Experiments(Runs(tmp_path), progress, None, lambda name, region: cluster)
    experiments.rehearse(Plan("instance-stop", Selection(names=("wkr2",))))
    assert "not probed through a load balancer: no permission" in progress.lines
