"""An undo plan in the Swarm is data that others can write: what is not true here is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from swarmctl.chaos.journal.runs import brief
from swarmctl.chaos.run import plan_from_swarm
from swarmctl.chaos.run.plan_from_swarm import BadPlanError, read
from tests.unit.chaos.doctor.place import RUN, pending
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.simulated_swarm import Clock, Lab, workers

Change = Callable[[dict[str, Any]], object]


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
    "change",
    [
        lambda p: p.update(id="../../x"),
        lambda p: p.update(id="20260102-030000-drain"),
        lambda p: p.update(id=RUN + "/.."),
        lambda p: p.update(experiment="rm"),
        lambda p: p.update(cluster="another"),
        lambda p: p.update(region="us-east-1"),
        lambda p: p.update(started_at="yesterday"),
        lambda p: p.update(started_at="2026-01-02T03:00:00"),
        lambda p: p.update(surprise=1),
        lambda p: p.update(parameters={"force": "rm -rf /"}),
        lambda p: p["undo"].update(state="done"),
        lambda p: step(p).update(action="replace-instance"),
        lambda p: step(p).update(action="run-command"),
        lambda p: step(p).update(instance_id="i-wkr3"),
        lambda p: both(p, node="nobody"),
        lambda p: both(p, node="../x"),
        lambda p: both(p, node_id="id-wkr3"),
        lambda p: both(p, node_id="a/b"),
        lambda p: both(p, instance_id="i-wkr3"),
        lambda p: both(p, instance_id="i-other"),
        lambda p: both(p, instance_id=""),
        lambda p: both(p, instance_id="i-0; rm"),
        lambda p: target(p).update(role="king"),
        lambda p: p["undo"].update(steps=[*p["undo"]["steps"], *p["undo"]["steps"]]),
        lambda p: p.update(targets=[]),
    ],
)
def test_what_is_not_true_here_is_refused(change: Change) -> None:
    raw = plan()
    read(raw, known())
    change(raw)
    with pytest.raises(BadPlanError, match="nothing was done"):
        read(raw, known())


def test_a_terminated_instance_may_be_undone() -> None:
    raw = plan()
    both(raw, instance_id="i-gone")
    lab = Lab(Clock(), workers(3), [])
    lab.states["gone"] = "terminated"
    here = plan_from_swarm.here(SimulatedCluster(lab), lab.snapshot())
    assert read(raw, here).undo.steps[0].instance_id == "i-gone"
