"""An undo plan in the Swarm is data that others can write: what is not true here is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from swarmctl.chaos.journal.journal import Journal, TargetRecord, Undo, UndoStep
from swarmctl.chaos.journal.runs import brief
from swarmctl.chaos.run import plan_from_swarm
from swarmctl.chaos.run.plan_from_swarm import BadPlanError, read
from tests.unit.chaos.doctor.place import RUN, pending
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.simulated_swarm import Clock, Lab, workers

Change = Callable[[dict[str, Any]], object]
ABOUT = "it is not about the cluster swarm_app in eu-central-1"
BRIEF = "the undo plan in the Swarm's lock has"
FORCE = "its options: Expected `bool`, got `str` - at `$.force`"
STEPS = "its steps are not those that undo instance-stop"


def known() -> plan_from_swarm.Here:
    lab = Lab(Clock(), workers(3), [])
    lab.states["other"] = "running"  # of another cluster: not among this one's instances
    return plan_from_swarm.here(SimulatedCluster(lab), lab.snapshot())


def plan(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(brief(pending())), **changes}


def step(raw: dict[str, Any]) -> dict[str, Any]:
    raw["undo"]["steps"] = [dict(one) for one in raw["undo"]["steps"]]
    return raw["undo"]["steps"][0]  # type: ignore[no-any-return]  # a step


def target(raw: dict[str, Any]) -> dict[str, Any]:
    raw["targets"] = [dict(one) for one in raw["targets"]]
    return raw["targets"][0]  # type: ignore[no-any-return]  # a target


def both(raw: dict[str, Any], **changes: str) -> None:
    step(raw).update(changes)
    target(raw).update(changes)


def test_a_plan_of_this_cluster_is_read_without_its_texts() -> None:
    found = read(plan(hypothesis="\x1b[2J", parameters={"replace_with": "evil", "x": 1}), known())
    assert (found.id, found.hypothesis, found.parameters) == (RUN, "", {"force": False})
    assert [one.by_hand for one in found.undo.steps] == [""]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: p.update(id="../../x"), f"{BRIEF} no valid run id: '../../x'"),
        (lambda p: p.update(id="20260102-030000-drain"), "its run id is not one of this fault"),
        (lambda p: p.update(id=RUN + "/.."), f"{BRIEF} no valid run id: '{RUN}/..'"),
        (lambda p: p.update(experiment="rm"), "this version knows no such fault"),
        (lambda p: p.update(cluster="another"), ABOUT),
        (lambda p: p.update(region="us-east-1"), ABOUT),
        (lambda p: p.update(started_at="yesterday"), "its start is not a time"),
        (lambda p: p.update(started_at="2026-01-02T03:00:00"), "its start has no time zone"),
        (lambda p: p.update(surprise=1), f"{BRIEF} unknown parts: ['surprise']"),
        (lambda p: p.update(parameters={"force": "x"}), FORCE),
        (lambda p: p["undo"].update(state="done"), "it is no plan"),
        (lambda p: step(p).update(action="replace-instance"), STEPS),
        (lambda p: step(p).update(action="run-command"), STEPS),
        (lambda p: step(p).update(instance_id="i-wkr3"), STEPS),
        (lambda p: both(p, node="nobody"), "a target is no node of this cluster"),
        (lambda p: both(p, node="../x"), "a target is no node of this cluster"),
        (lambda p: both(p, node_id="id-wkr3"), "the node id of wkr2 belongs to another node"),
        (lambda p: both(p, node_id="a/b"), "the node id of wkr2 belongs to another node"),
        (lambda p: both(p, instance_id="i-wkr3"), "i-wkr3 is not the instance of wkr2"),
        (
            lambda p: both(p, instance_id="i-other"),
            "i-other is no instance of the cluster swarm_app",
        ),
        (lambda p: both(p, instance_id=""), "the instance id of wkr2 is none"),
        (lambda p: both(p, instance_id="i-0; rm"), "the instance id of wkr2 is none"),
        (lambda p: target(p).update(role="king"), "the role of wkr2 is none"),
        (lambda p: target(p).update(task="web; rm"), "the task on wkr2 has no valid name"),
        (lambda p: p["undo"].update(steps=[*p["undo"]["steps"], *p["undo"]["steps"]]), STEPS),
        (lambda p: p.update(targets=[]), STEPS),
    ],
)
def test_what_is_not_true_here_is_refused_with_the_reason(change: Change, why: str) -> None:
    raw = plan()
    read(raw, known())
    change(raw)
    with pytest.raises(BadPlanError) as caught:
        read(raw, known())
    text = "the undo plan in the Swarm's chaos lock is not valid: "
    assert caught.value.message == f"{text}{why}; nothing was done"
    assert caught.value.hint == (
        "look at it, on a manager: docker config inspect --pretty swarmctl-chaos-lock; to remove "
        "it: docker config rm swarmctl-chaos-lock"
    )


def of_fault(fault: str, action: str | None, **changes: Any) -> dict[str, Any]:
    run = f"20260102-030000-{fault}"
    raw: dict[str, Any] = {**copy.deepcopy(brief(pending(str(action), run=run))), **changes}
    return raw if action else {**raw, "undo": {**raw["undo"], "steps": []}}


@pytest.mark.parametrize(
    ("fault", "action", "parameters", "why"),
    [
        ("loss", "heal-node", {"level": 100}, ""),
        ("loss", "heal-node", {"level": 1}, ""),
        ("loss", "heal-node", {"level": 101}, "its options are out of range"),
        ("loss", "heal-node", {"level": -1}, "its options are out of range"),
        ("latency", "heal-node", {"delay_ms": 0}, ""),
        ("latency", "heal-node", {"delay_ms": 600_000}, ""),
        ("latency", "heal-node", {"delay_ms": 600_001}, "its options are out of range"),
        ("latency", "heal-node", {"delay_ms": -1}, "its options are out of range"),
        ("partition", "heal-node", {"sever": "managers"}, ""),
        ("partition", "heal-node", {"sever": "x; rm"}, "its option sever is none"),
    ],
)
def test_an_option_is_what_the_fault_could_have_been_given(
    fault: str, action: str, parameters: dict[str, Any], why: str
) -> None:
    raw = of_fault(fault, action, parameters=parameters)
    if not why:
        assert read(raw, known()).parameters.items() >= parameters.items()
        return
    with pytest.raises(BadPlanError, match=f"is not valid: {why}; nothing was done"):
        read(raw, known())


@pytest.mark.parametrize(
    ("fault", "action", "needed"),
    [
        ("loss", "heal-node", False),
        ("drain", "activate-node", False),
        ("task-kill", None, False),
        ("instance-stop", "start-instance", True),
    ],
)
def test_only_an_undo_through_ec2_needs_an_instance(
    fault: str, action: str | None, needed: bool
) -> None:
    raw = of_fault(fault, action)
    target(raw).update(instance_id="", task="web.1")
    if action:
        step(raw).update(instance_id="")
    if needed:
        with pytest.raises(BadPlanError, match="the instance id of wkr2 is none"):
            read(raw, known())
        return
    found = read(raw, known())
    assert (found.targets[0].instance_id, found.targets[0].task) == ("", "web.1")
    assert len(found.undo.steps) == (1 if action else 0)


def test_what_was_checked_is_all_that_is_kept() -> None:
    raw = plan()
    target(raw).update(address="10.0.0.9", container_id="c1", task="web.1")
    raw["undo"]["state"] = "failed"
    found, started = read(raw, known()), pending().started_at
    assert found == Journal(
        id=RUN,
        experiment="instance-stop",
        cluster="swarm_app",
        region="eu-central-1",
        started_at=started,
        parameters={"force": False},
        hypothesis="",
        targets=(TargetRecord("wkr2", "id-wkr2", "worker", "i-wkr2", task="web.1"),),
        undo=Undo("planned", (UndoStep("start-instance", "wkr2", "id-wkr2", "i-wkr2", ""),)),
    )


def test_the_command_that_replaces_a_machine_is_never_taken_from_the_swarm() -> None:
    """Broken: whoever may write to the Swarm runs a command on the operator's machine."""
    raw = of_fault(
        "instance-terminate", "replace-instance", parameters={"replace_with": "rm -rf /"}
    )
    assert "replace_with" not in read(raw, known()).parameters


def test_only_instances_of_the_cluster_itself_are_known() -> None:
    asked: list[str] = []

    class Noted(Lab):
        def instances(self, cluster: str) -> Any:
            asked.append(cluster)
            return super().instances(cluster)

    lab = Noted(Clock(), workers(3), [])
    cluster = SimulatedCluster(lab)
    plan_from_swarm.here(cluster, lab.snapshot())
    assert asked == [cluster.name]


def test_a_manager_and_a_node_that_has_left_the_swarm_are_undone_too() -> None:
    raw = plan()
    target(raw).update(role="manager")
    without = {i: name for i, name in known().nodes.items() if name != "wkr2"}
    found = read(raw, replace(known(), nodes=without))
    assert (found.targets[0].node, found.targets[0].role) == ("wkr2", "manager")


def test_a_terminated_instance_may_be_undone() -> None:
    raw = plan()
    both(raw, instance_id="i-gone")
    lab = Lab(Clock(), workers(3), [])
    lab.states["gone"] = "terminated"
    here = plan_from_swarm.here(SimulatedCluster(lab), lab.snapshot())
    assert read(raw, here).undo.steps[0].instance_id == "i-gone"
