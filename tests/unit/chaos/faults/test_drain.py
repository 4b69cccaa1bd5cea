"""Draining a node and making it active again, request by request."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.chaos.faults.drain import Drain
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.swarm.engine import EngineError, Json
from tests.unit.chaos.faults.contexts import Beside, target

ONE, TWO = target("wkr1"), target("wkr2")


@pytest.fixture
def at() -> Beside:
    return Beside()


def availability(at: Beside) -> dict[str, str]:
    return {node.hostname: node.availability for node in at.lab.nodes if node.role == "worker"}


def test_every_target_is_drained_and_made_active(at: Beside) -> None:
    fault = Drain(at.context())
    assert fault.refusal([ONE, TWO]) == ""
    fault.inject([ONE, TWO])
    assert availability(at) == {"wkr1": "drain", "wkr2": "drain", "wkr3": "active"}
    assert at.checks == 2
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert set(availability(at).values()) == {"active"}
    assert at.texts("drained", "activated") == [
        "wkr1 is drained",
        "wkr2 is drained",
        "wkr1 is active again",
        "wkr2 is active again",
    ]
    assert at.shown == ["wkr1, wkr2 to be active"]
    assert fault.lost == {}


def test_what_will_be_done_is_said_with_its_undo(at: Beside) -> None:
    fault = Drain(at.context())
    assert fault.describe(ONE) == "drain wkr1; undo: availability active"
    (step,) = fault.undo_steps([ONE])
    assert (step.action, step.instance_id) == ("activate-node", "i-wkr1")
    assert step.by_hand == "docker node update --availability active id-wkr1"


@pytest.mark.parametrize("other", ["drain", "pause"])
def test_a_node_that_is_not_active_is_refused(at: Beside, other: str) -> None:
    """Its undo would leave it otherwise than it was."""
    at.lab.set_availability("wkr2", other)
    refusal = Drain(at.context()).refusal([ONE, TWO])
    assert refusal == f"wkr2: availability is already {other}"


def test_a_change_by_someone_else_is_noticed_within_a_second(at: Beside) -> None:
    fault = Drain(at.context())
    fault.inject([ONE])
    asked: list[float] = []
    get = at.lab.engine.get

    def counted(path: str, **filters: list[str]) -> Any:
        asked.append(at.now)
        return get(path, **filters)

    at.lab.engine.get = counted  # type: ignore[method-assign]  # the managers
    at.lab.clock.at(2.1, lambda: at.lab.set_availability("wkr1", "pause"))
    while at.now < 4:
        fault.watch([ONE])
        at.lab.clock.pause(0.25)
    assert asked == [0.0, 1.0, 2.0, 3.0]
    assert at.texts("fault-ended") == ["wkr1 was set to pause by someone else"]


def test_managers_that_do_not_answer_end_no_fault(at: Beside) -> None:
    fault = Drain(at.context())

    def silent(path: str, **filters: list[str]) -> Any:
        raise SwarmctlError("no manager answers")

    at.lab.engine.get = silent  # type: ignore[method-assign]  # the managers
    fault.watch([ONE])
    assert fault.end is None


# --- the undo -------------------------------------------------------------------------------------


def test_a_node_that_someone_else_has_changed_is_left_so(at: Beside) -> None:
    fault = Drain(at.context())
    fault.inject([ONE, TWO])
    at.lab.set_availability("wkr1", "pause")
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert availability(at) == {"wkr1": "pause", "wkr2": "active", "wkr3": "active"}
    assert at.texts("activated") == ["wkr2 is active again"]


def test_a_node_that_was_removed_is_lost_and_the_others_are_undone(at: Beside) -> None:
    fault = Drain(at.context())
    fault.inject([ONE, TWO])
    at.lab.nodes = [node for node in at.lab.nodes if node.hostname != "wkr1"]
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert fault.lost == {"wkr1": "wkr1: the node id-wkr1 was removed from the Swarm"}
    assert availability(at)["wkr2"] == "active"


def test_the_undo_waits_a_minute_for_a_leader(at: Beside) -> None:
    fault = Drain(at.context())
    fault.inject([ONE, TWO])
    at.lab.fail["snapshot"] = SwarmctlError("no leader")
    asked: list[float] = []
    at.lab.hooks["snapshot"] = lambda: asked.append(at.now)
    text = "waited 60 s for wkr1, wkr2 to be active; last seen: no leader"
    with pytest.raises(DeadlineExceededError, match=f"^{text}$"):
        fault.revert(fault.undo_steps([ONE, TWO]))
    assert 60 <= at.now < 61
    assert asked[:3] == [0.0, 0.5, 1.0]
    at.lab.clock.at(at.now + 50, at.lab.fail.clear)
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert availability(at)["wkr1"] == "active"


# --- one request ----------------------------------------------------------------------------------


class Contended:
    """The requests to change a node; the first ones come too late or are refused."""

    def __init__(self, at: Beside, error: str, times: int) -> None:
        self.sent: list[tuple[str, str, Json, dict[str, str]]] = []
        self.error, self.times, self.version = error, times, 7
        engine = at.lab.engine
        engine.get = self.get  # type: ignore[method-assign]  # the managers
        engine.send = self.send  # type: ignore[method-assign]  # the managers

    def get(self, path: str, **filters: list[str]) -> Any:
        spec = {"Availability": "active", "Labels": {"az": "a"}, "Role": "worker"}
        return {"Version": {"Index": self.version}, "Spec": spec}

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        self.sent.append((method, path, body, options["params"]))
        self.version += 1
        if len(self.sent) <= self.times:
            raise EngineError(self.error, 500)


OUTDATED = "rpc error: code = Unknown desc = update out of sequence"


@pytest.mark.parametrize("times", [0, 1, 4])
def test_a_node_that_changed_meanwhile_is_read_again(at: Beside, times: int) -> None:
    managers = Contended(at, OUTDATED, times)
    Drain(at.context()).inject([ONE])
    assert len(managers.sent) == times + 1
    spec = {"Availability": "drain", "Labels": {"az": "a"}, "Role": "worker"}
    assert managers.sent[0] == ("POST", "/nodes/id-wkr1/update", spec, {"version": "7"})
    assert [params["version"] for *_, params in managers.sent] == [
        str(7 + n) for n in range(times + 1)
    ]


def test_a_node_that_keeps_changing_is_given_up_after_five_tries(at: Beside) -> None:
    managers = Contended(at, OUTDATED, 9)
    with pytest.raises(EngineError, match="out of sequence"):
        Drain(at.context()).inject([ONE])
    assert len(managers.sent) == 5


def test_another_refusal_ends_it_at_once(at: Beside) -> None:
    managers = Contended(at, "node is demoted", 9)
    with pytest.raises(EngineError, match="demoted"):
        Drain(at.context()).inject([ONE])
    assert len(managers.sent) == 1
