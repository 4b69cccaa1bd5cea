"""Stopping machines and starting them again, request by request."""

from __future__ import annotations

from itertools import pairwise

import pytest

from swarmctl.chaos.fault.fault import FaultEnd
from swarmctl.chaos.fault.instance_fault import InstanceFault
from swarmctl.chaos.faults.instance_stop import InstanceStop
from swarmctl.chaos.faults.leader_kill import LeaderKill
from swarmctl.chaos.journal.journal import Mark
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from tests.unit.chaos.faults.contexts import Beside, target

ONE, TWO = target("wkr1"), target("wkr2")


@pytest.fixture
def at() -> Beside:
    return Beside()


def wait(at: Beside, fault: InstanceFault, seconds: float) -> None:
    """Watch as a run does, four times a second."""
    until = at.now + seconds
    while at.now < until:
        fault.watch([ONE, TWO])
        at.lab.clock.pause(0.25)


def stopped(at: Beside) -> InstanceStop:
    """A stop of wkr1 and wkr2 that EC2 has carried out."""
    fault = InstanceStop(at.context())
    fault.inject([ONE, TWO])
    wait(at, fault, 6)
    return fault


# --- what is done and said ------------------------------------------------------------------------


def test_every_target_is_stopped_and_a_signal_ends_it_before_the_next_one(at: Beside) -> None:
    fault = InstanceStop(at.context())
    fault.inject([ONE, TWO])
    assert at.lab.log == ["stop wkr1", "stop wkr2"]
    assert at.checks == 2
    assert at.texts("stop-accepted") == [
        "StopInstances accepted for wkr1",
        "StopInstances accepted for wkr2",
    ]


def test_what_will_be_done_is_said_with_its_undo(at: Beside) -> None:
    stop, power = InstanceStop(at.context()), InstanceStop(at.context(force=True))
    undo = "undo: start it and wait until Ready"
    assert stop.describe(ONE) == f"stop wkr1 (i-wkr1); {undo}"
    assert power.describe(ONE) == f"power off wkr1 (i-wkr1); {undo}"
    assert LeaderKill(at.context()).describe(ONE) == power.describe(ONE)
    (step,) = stop.undo_steps([ONE])
    assert (step.action, step.node, step.node_id) == ("start-instance", "wkr1", "id-wkr1")
    assert stop.refusal([ONE]) == ""
    assert step.by_hand == "aws ec2 start-instances --instance-ids i-wkr1"


def test_the_power_is_cut_only_by_force(at: Beside) -> None:
    InstanceStop(at.context(force=True)).inject([ONE])
    InstanceStop(at.context()).inject([TWO])
    LeaderKill(at.context()).inject([target("wkr3")])
    assert at.lab.log == ["pull wkr1", "stop wkr2", "pull wkr3"]


def test_a_node_is_silent_from_when_it_was_asked_and_not_from_the_time_out(at: Beside) -> None:
    fault = InstanceStop(at.context())
    fault.inject([ONE])

    def reachable(node: str) -> bool:
        at.lab.clock.pause(2.0)
        return False

    at.lab.reachable = reachable  # type: ignore[method-assign]  # SSH
    at.lab.clock.pause(1.0)
    fault.watch([ONE])
    assert [mark.at_s for mark in at.marks if mark.kind == "unreachable"] == [1.0]


def test_the_fault_has_its_effect_when_every_machine_has_stopped_answering(at: Beside) -> None:
    fault = InstanceStop(at.context())
    fault.watch([ONE, TWO])
    assert not fault.took_effect()  # nothing is hit yet
    fault.inject([ONE])
    fault.inject([TWO])
    at.lab.states["wkr1"] = "stopped"
    wait(at, fault, 1)
    assert not fault.took_effect()
    at.lab.states["wkr2"] = "stopped"
    wait(at, fault, 1)
    assert fault.took_effect()
    assert [mark for mark in at.marks if mark.kind == "unreachable"] == [
        Mark(0.0, "unreachable", "wkr1 does not answer any more", "wkr1"),
        Mark(1.0, "unreachable", "wkr2 does not answer any more", "wkr2"),
    ]


def test_when_ec2_reports_a_machine_stopped_is_marked_once(at: Beside) -> None:
    stopped(at)
    assert at.texts("instance-stopped") == [
        "EC2 reports wkr1 stopped",
        "EC2 reports wkr2 stopped",
    ]
    times = [mark.at_s for mark in at.marks if mark.kind == "instance-stopped"]
    assert all(4.0 <= at_s <= 5.0 for at_s in times)


def test_ec2_is_asked_once_a_second_however_often_the_run_looks(at: Beside) -> None:
    fault = InstanceStop(at.context())
    asked: list[float] = []
    at.lab.hooks["state"] = lambda: asked.append(at.now)
    wait(at, fault, 3)
    assert asked == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


def test_an_ec2_that_does_not_answer_ends_no_fault(at: Beside) -> None:
    fault = stopped(at)
    at.lab.fail["state"] = SwarmctlError("RequestLimitExceeded")
    wait(at, fault, 3)
    assert fault.end is None


@pytest.mark.parametrize("state", ["running", "pending"])
def test_a_machine_that_runs_again_by_someone_elses_hand_ends_the_fault(
    at: Beside, state: str
) -> None:
    fault = stopped(at)
    at.lab.states["wkr2"] = state
    wait(at, fault, 1)
    assert fault.end is None  # a single answer may be an old one
    wait(at, fault, 1)
    wait(at, fault, 3)
    text = f"wkr2 was started by someone else (EC2: {state})"
    assert fault.end == FaultEnd(7.0, text)
    assert at.texts("fault-ended") == [text]


def test_two_old_answers_that_are_not_in_a_row_end_no_fault(at: Beside) -> None:
    fault = stopped(at)
    for state in ("running", "stopped", "running", "stopping", "pending", "stopped"):
        at.lab.states["wkr2"] = state
        wait(at, fault, 1)
    assert fault.end is None


def test_a_machine_that_was_never_seen_to_stop_is_not_started_by_someone_else(
    at: Beside,
) -> None:
    fault = InstanceStop(at.context())
    wait(at, fault, 5)
    assert fault.end is None


# --- the undo -------------------------------------------------------------------------------------


def test_all_machines_are_started_and_awaited(at: Beside) -> None:
    fault = stopped(at)
    begun = at.now
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert at.lab.log[2:] == ["start wkr1", "start wkr2"]
    assert 8 <= at.now - begun < 9
    assert at.texts("start-accepted", "instance-running") == [
        "StartInstances accepted for wkr1",
        "StartInstances accepted for wkr2",
        "EC2 reports wkr1 running",
        "EC2 reports wkr2 running",
    ]
    prefix = "EC2 to have the machines running: "
    assert at.shown[0] == f"{prefix}wkr1 stopped, wkr2 stopped"
    assert at.shown[1] == f"{prefix}wkr1 pending, wkr2 pending"
    assert at.shown[-1] == f"{prefix}wkr1 running, wkr2 running"


def test_a_machine_that_cannot_start_does_not_keep_the_others_down(at: Beside) -> None:
    fault = stopped(at)
    start = at.lab.start
    tries: list[float] = []

    def no_room(instance_id: str, /) -> None:
        if instance_id == "i-wkr1":
            tries.append(at.now)
            raise SwarmctlError("no room")
        start(instance_id)

    at.lab.start = no_room  # type: ignore[method-assign]  # EC2's
    begun = at.now
    text = r"waited 900 s for wkr1 \(i-wkr1\), wkr2 \(i-wkr2\) to be running"
    with pytest.raises(DeadlineExceededError, match=text):
        fault.revert(fault.undo_steps([ONE, TWO]))
    assert at.lab.states["wkr2"] == "running"
    assert at.now - begun >= 900
    # Each try is a request: one every five seconds, not two a second.
    assert {round(after - before, 1) for before, after in pairwise(tries)} == {5.0}
    assert at.shown[1].endswith(": wkr1 stopped, wkr2 pending")


def test_an_ec2_that_is_busy_is_asked_again(at: Beside) -> None:
    fault = stopped(at)
    at.lab.fail["state"] = SwarmctlError("RequestLimitExceeded")
    at.lab.clock.at(at.now + 20, at.lab.fail.clear)
    fault.revert(fault.undo_steps([ONE]))
    assert at.shown[0].endswith(": wkr1 RequestLimitExceeded")
    assert at.lab.states["wkr1"] == "running"


@pytest.mark.parametrize("state", ["terminated", "shutting-down", ""])
def test_a_machine_that_was_terminated_is_lost(at: Beside, state: str) -> None:
    fault = stopped(at)
    at.lab.states["wkr1"] = state
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert fault.lost == {"wkr1": "wkr1: its instance i-wkr1 was terminated"}
    assert at.lab.states["wkr2"] == "running"


def test_machines_that_were_all_terminated_are_not_waited_for(at: Beside) -> None:
    fault = stopped(at)
    begun = at.now
    at.lab.states |= {"wkr1": "terminated", "wkr2": "terminated"}
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert list(fault.lost) == ["wkr1", "wkr2"]
    assert at.now == begun


def test_a_machine_that_is_down_is_started_at_once(at: Beside) -> None:
    fault = InstanceStop(at.context())
    at.lab.states["wkr1"] = "stopped"
    fault.revert(fault.undo_steps([ONE]))
    assert [mark.at_s for mark in at.marks if mark.kind == "start-accepted"] == [0.0]


# --- a request that nobody saw answered -----------------------------------------------------------


def unanswered(at: Beside) -> InstanceStop:
    """The request is sent, and the connection breaks."""
    fault = InstanceStop(at.context())
    at.lab.fail["stop"] = SwarmctlError("connection reset")
    with pytest.raises(SwarmctlError):
        fault.inject([ONE])
    at.lab.states["wkr1"] = "running"
    at.lab.clock.appointments.clear()
    return fault


def test_running_is_believed_when_no_late_request_shows_for_five_seconds(at: Beside) -> None:
    fault = unanswered(at)
    fault.revert(fault.undo_steps([ONE]))
    assert at.now == pytest.approx(5.0)
    assert at.shown[0] == "EC2 to show whether StopInstances has arrived"
    assert "start wkr1" not in at.lab.log


def test_a_request_that_arrives_late_is_undone(at: Beside) -> None:
    fault = unanswered(at)
    at.lab.fail.clear()
    at.lab.clock.at(3.0, lambda: at.lab.stop("i-wkr1"))
    fault.revert(fault.undo_steps([ONE]))
    assert at.lab.log[-1] == "start wkr1"
    assert at.lab.states["wkr1"] == "running"


def test_an_ec2_that_does_not_answer_is_asked_until_the_five_seconds_are_over(at: Beside) -> None:
    fault = unanswered(at)
    at.lab.fail = {"state": SwarmctlError("RequestLimitExceeded")}
    at.lab.clock.at(4.0, at.lab.fail.clear)
    fault.revert(fault.undo_steps([ONE]))
    assert at.now == pytest.approx(5.0)


def test_the_fault_of_another_process_may_still_arrive(at: Beside) -> None:
    fault = InstanceStop(at.context())
    fault.begun_elsewhere = True
    fault.revert(fault.undo_steps([ONE]))
    assert at.now == pytest.approx(5.0)


def test_nothing_can_arrive_late_of_what_was_accepted_or_never_sent(at: Beside) -> None:
    fault = InstanceStop(at.context())
    fault.revert(fault.undo_steps([ONE]))
    accepted = InstanceStop(at.context())
    accepted.inject([])
    accepted.revert(fault.undo_steps([ONE]))
    assert at.now == 0.0
