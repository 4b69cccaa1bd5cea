"""Each fault in simulated time: what it does, what the verdict says, and that it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs, from_brief
from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.run.steps.revert import RevertFailedError
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.prediction.prediction import Loss, Outcome, Prediction
from swarmctl.scheduler.filters import Filter, Shortage
from swarmctl.swarm import lock
from swarmctl.swarm.model import Port
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import node, service
from tests.unit.chaos.stage import Stage, stage

ALL = frozenset(("blast-radius", "swarm-healthy"))


def managers(count: int, workers: int) -> list[Node]:
    made = [node(f"mgr{i}", "manager") for i in range(1, count + 1)]
    made += [node(f"wkr{i}") for i in range(1, workers + 1)]
    return [replace(n, labels={"az": "abc"[i % 3]}) for i, n in enumerate(made)]


def sentence(journal: Journal) -> str:
    assert journal.verdict is not None
    return journal.verdict.sentence


def test_every_fault_says_what_it_does_and_how_it_is_undone() -> None:
    for name, kind in FAULTS.items():
        assert kind.name == name
        assert kind.summary
        assert kind.undo
        assert kind.past_tense.startswith("was ")


def test_a_forced_stop_pulls_the_plug(tmp_path: Path) -> None:
    s = stage(tmp_path, options=Options(force=True))
    assert s.experiment.run().outcome == "held"
    assert s.lab.log == ["pull wkr2", "start wkr2"]


def test_when_the_machine_stops_answering_is_noted(tmp_path: Path) -> None:
    journal = stage(tmp_path).experiment.run()
    gone, down = journal.moment("unreachable"), journal.moment("node-down")
    assert gone is not None
    assert down is not None
    assert (journal.moment("fault") or 0) < gone < down


def test_a_zone_goes_at_once_and_comes_back(tmp_path: Path) -> None:
    s = stage(
        tmp_path,
        fault="az-outage",
        nodes=managers(3, 4),
        selection=Selection(zone="b", percent=100),
    )
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert sorted(s.lab.log[:2]) == ["pull mgr2", "pull wkr2"]
    assert sentence(journal).startswith("HELD: mgr2 and wkr2 were lost; 4 of 4 lost replicas run")


def test_the_leader_is_only_lost_when_asked_for(tmp_path: Path) -> None:
    asked = stage(
        tmp_path, fault="leader-kill", nodes=managers(3, 3), selection=Selection(leader=True)
    )
    assert asked.experiment.run().targets[0].node == "mgr1"
    drawn = stage(tmp_path, nodes=managers(3, 3), selection=Selection(role="manager", percent=99))
    with pytest.raises(RefusedError, match="guard leader"):
        drawn.experiment.run()
    assert drawn.lab.log == []
    # Who takes a whole zone takes what leads in it.
    zone = Selection(zone="a", percent=100)
    whole = stage(tmp_path / "b", fault="az-outage", nodes=managers(3, 3), selection=zone)
    assert whole.experiment.run().targets[0].node == "mgr1"


def test_a_drained_node_is_left_and_made_active_again(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="drain")
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert s.lab.log == ["wkr2 is drain", "wkr2 is active"]
    assert sentence(journal).startswith(
        "HELD: wkr2 was drained; 5 of 5 lost replicas run elsewhere"
    )
    assert all(counts.get("wkr2", 0) == 0 for counts in journal.after.values())


def test_a_node_that_is_drained_already_is_refused(tmp_path: Path) -> None:
    nodes = managers(1, 3)
    nodes[2] = replace(nodes[2], availability="drain")
    s = stage(tmp_path, fault="drain", nodes=nodes)
    with pytest.raises(RefusedError, match="wkr2: availability is already drain"):
        s.experiment.run()
    assert s.lab.log == []


def test_killed_tasks_are_made_good_wherever_that_is(tmp_path: Path) -> None:
    two = Selection(service="web", count=2, seed=1)
    s = stage(tmp_path, fault="task-kill", selection=two)
    with pytest.raises(RefusedError, match="no container yet"):
        s.experiment.run()
    s = stage(
        tmp_path / "b", fault="task-kill", selection=Selection(service="web", count=2, seed=1)
    )
    s.lab.tasks = [replace(t, container_id=f"c-{t.id}") for t in s.lab.tasks]

    def die() -> None:
        killed = [t.id for t in s.lab.tasks if f"c-{t.id}" in s.lab.log[-1]]
        s.lab.end_tasks(killed)

    s.lab.hooks["run"] = die
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert journal.verdict is not None
    web = next(o for o in journal.verdict.services if o.service == "web")
    assert (web.lost, web.replaced, web.stayed) == (2, 2, 8)
    assert "2 of 2 lost replicas run again after" in sentence(journal)
    assert journal.undo.state == "done"
    assert journal.undo.steps == ()


def test_a_task_that_is_not_replaced_refutes(tmp_path: Path) -> None:
    s = stage(
        tmp_path,
        fault="task-kill",
        selection=Selection(service="db", percent=100),
        timeout_s=20,
    )
    s.lab.tasks = [replace(t, container_id=f"c-{t.id}") for t in s.lab.tasks]
    journal = s.experiment.run()
    assert journal.outcome == "refuted"


def booting(s: Stage, after_s: float) -> None:
    """The node says another boot id so long after the reboot was asked for."""
    boots = ["first"]
    s.lab.answers["boot_id"] = lambda: boots[-1]
    s.lab.hooks["reboot"] = lambda: s.clock.at(
        s.clock.now() + after_s, lambda: boots.append("second")
    )


def test_a_reboot_is_over_when_the_node_has_booted_anew(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="instance-reboot")
    booting(s, 9.0)
    journal = s.experiment.run()
    assert journal.outcome == "held"
    fault, took = journal.moment("fault") or 0, journal.moment("redistributed") or 0
    assert took - fault >= 9.0
    assert "wkr2 was rebooted" in sentence(journal)


def test_a_reboot_that_never_happens_is_refuted(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="instance-reboot", timeout_s=20)
    booting(s, 1000.0)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert "the fault was not complete in time" in sentence(journal)


def test_a_terminated_machine_is_made_anew_by_the_command(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="instance-terminate", options=Options(replace_with="true"))

    def made_anew() -> None:
        fresh = replace(node("wkr2"), id="id-wkr2-new")
        if fresh not in s.lab.nodes:
            s.lab.nodes.append(fresh)

    s.lab.hooks["state"] = made_anew
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert "id-wkr2" not in {n.id for n in s.lab.nodes}
    assert journal.moment("replaced") is not None


@pytest.mark.parametrize(
    ("command", "complaint"),
    [("false", "ended with 1"), ("no-such-command-here", "was not found")],
)
def test_a_machine_that_is_not_made_anew_stays_to_be_undone(
    tmp_path: Path, command: str, complaint: str
) -> None:
    s = stage(tmp_path, fault="instance-terminate", options=Options(replace_with=command))
    with pytest.raises(RevertFailedError, match=complaint):
        s.experiment.run()
    assert [run.undo.state for run in s.runs.pending()] == ["failed"]


# -- how long, and what is expected meanwhile -----------------------------------------------------


def test_a_duration_keeps_the_fault_for_so_long(tmp_path: Path) -> None:
    journal = stage(tmp_path, duration_s=60).experiment.run()
    assert journal.outcome == "held"
    assert (journal.moment("revert") or 0) - (journal.moment("fault") or 0) >= 60
    assert "run elsewhere after 19" in sentence(journal)


@pytest.mark.parametrize(("floor", "outcome"), [(8, "refuted"), (7, "held")])
def test_too_few_replicas_for_a_moment_refute(tmp_path: Path, floor: int, outcome: str) -> None:
    s = stage(tmp_path, hypothesis=Hypothesis(never_below={"web": floor}))
    journal = s.experiment.run()
    assert journal.outcome == outcome
    if outcome == "refuted":
        assert "web had 7 replicas" in sentence(journal)


@pytest.mark.parametrize(
    ("allowed", "outcome"),
    [
        (Tolerance(success=1.0), "refuted"),
        (Tolerance(success=0.5), "held"),
        (Tolerance(longest_outage_s=1.0), "refuted"),
        (Tolerance(longest_outage_s=60.0), "held"),
    ],
)
def test_probes_that_fail_more_than_allowed_refute(
    tmp_path: Path, allowed: Tolerance, outcome: str
) -> None:
    web = service("web", 6, ports=(Port("tcp", 80, 80, "ingress"),))
    s = stage(tmp_path, services=[web], hypothesis=Hypothesis(tolerances={"*": allowed}))
    s.prober.silent = lambda e: 5 < s.clock.now() < 8
    assert s.experiment.run().outcome == outcome


# -- guards with an override ----------------------------------------------------------------------


def test_a_guard_is_overridden_by_name_and_that_is_kept(tmp_path: Path) -> None:
    s = stage(tmp_path, targets=("wkr1", "wkr2"))
    with pytest.raises(RefusedError, match="blast-radius"):
        s.experiment.run()
    assert s.lab.log == []
    s = stage(tmp_path / "b", targets=("wkr1", "wkr2"), limits=Limits(overrides=ALL))
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert [g.name for g in journal.guards if g.overridden] == ["blast-radius"]
    assert journal.parameters["overrides"] == ["blast-radius", "swarm-healthy"]


def test_no_room_by_prediction_is_refused_but_a_pinned_service_is_an_experiment(
    tmp_path: Path,
) -> None:
    def short_of(refused: Filter, nodes: int) -> Prediction:
        loss = Loss(("wkr2",), {"db": 1}, {}, {}, quorum=True, leader=False)
        outcomes = (Outcome({"db": {}}, {"db": 1}),)
        return Prediction(loss, {}, outcomes, True, {"db": ((Shortage(refused, nodes),),)})

    s = stage(tmp_path)
    s.lab.prediction = short_of(Filter.RESOURCES, 2)
    with pytest.raises(RefusedError, match="insufficient resources on 2 nodes"):
        s.experiment.run()
    s = stage(tmp_path / "b", pinned={"db": "wkr2"}, timeout_s=30)
    s.lab.prediction = short_of(Filter.CONSTRAINT, 3)
    assert s.experiment.run().outcome == "refuted"


def test_a_protected_node_is_left_alone(tmp_path: Path) -> None:
    nodes = managers(1, 3)
    nodes[2] = replace(nodes[2], labels={"swarmctl.protect": "true"})
    s = stage(tmp_path, nodes=nodes)
    with pytest.raises(RefusedError, match=r"wkr2: label swarmctl\.protect=true"):
        s.experiment.run()


# -- the lock in the Swarm ------------------------------------------------------------------------


def test_the_plan_is_in_the_swarm_while_something_is_broken(tmp_path: Path) -> None:
    s = stage(tmp_path)
    found: list[Journal] = []

    def look() -> None:
        held = lock.find(s.lab.engine, lock.CHAOS)
        assert held is not None
        found.append(from_brief(held.plan))

    s.lab.hooks["stop"] = look
    s.experiment.run()
    assert found[0].undo.steps[0].instance_id == "i-wkr2"
    assert found[0].id == s.experiment.journal.id
    assert lock.find(s.lab.engine, lock.CHAOS) is None


def test_another_experiment_in_the_swarm_is_respected(tmp_path: Path) -> None:
    s = stage(tmp_path)
    lock.acquire(s.lab.engine, lock.CHAOS, 600, lock.Owner("ann", "laptop", 7, "chaos x"), {})
    with pytest.raises(RefusedError, match=r"ann@laptop \(process 7, chaos x\) runs one"):
        s.experiment.run()
    assert s.lab.log == []


def test_one_that_comes_in_between_is_respected_too(tmp_path: Path) -> None:
    s = stage(tmp_path)

    def between(lines: Sequence[str]) -> None:
        lock.acquire(s.lab.engine, lock.CHAOS, 600, lock.Owner("ann", "laptop", 7, "chaos x"), {})

    context = s.experiment._context
    context.world = replace(context.world, consent=between)
    with pytest.raises(RefusedError, match="ann@laptop"):
        s.experiment.run()
    assert s.lab.log == []
    assert Runs(tmp_path).pending() == ()


def test_a_failed_revert_leaves_the_lock_with_its_plan(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    with pytest.raises(RevertFailedError):
        s.experiment.run()
    held = lock.find(s.lab.engine, lock.CHAOS)
    assert held is not None
    assert held.plan is not None


def test_late_is_refuted_though_the_fault_goes_on(tmp_path: Path) -> None:
    """Broken: a long duration makes every hypothesis hold."""
    journal = stage(tmp_path, timeout_s=15, duration_s=40).experiment.run()
    assert journal.outcome == "refuted"
    assert "full strength after 19" in sentence(journal)
    assert "allowed: 15 s" in sentence(journal)
