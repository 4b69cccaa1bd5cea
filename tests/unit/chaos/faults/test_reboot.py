"""A reboot is over when the machine has another boot id, runs and answers."""

from __future__ import annotations

import pytest

from swarmctl.chaos.faults.instance_reboot import InstanceReboot
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from tests.unit.chaos.faults.contexts import Beside, target

ONE, TWO = target("wkr1"), target("wkr2")


@pytest.fixture
def at() -> Beside:
    at = Beside()
    at.lab.answers["boot_id"] = "first"
    return at


def rebooted(at: Beside) -> InstanceReboot:
    """wkr1 and wkr2 were told to reboot."""
    fault = InstanceReboot(at.context())
    assert fault.refusal([ONE, TWO]) == ""
    fault.inject([ONE, TWO])
    return fault


def wait(at: Beside, fault: InstanceReboot, seconds: float) -> None:
    until = at.now + seconds
    while at.now < until:
        fault.watch([ONE, TWO])
        at.lab.clock.pause(0.25)


def test_what_will_be_done_is_said(at: Beside) -> None:
    fault = rebooted(at)
    assert fault.describe(ONE) == "reboot wkr1 (i-wkr1); it comes back by itself"
    assert [line for line in at.lab.log if "reboot" in line] == ["reboot wkr1", "reboot wkr2"]
    assert at.texts("stop-accepted")[0] == "RebootInstances accepted for wkr1"
    (step,) = fault.undo_steps([ONE])
    assert step.action == "await-reboot"


def test_each_node_is_asked_for_its_own_boot_within_five_seconds(at: Beside) -> None:
    asked: list[tuple[str, float]] = []

    def run(node: str, script: str, timeout_s: float = 20.0) -> str:
        asked.append((node, timeout_s))
        return f"boot of {node}"

    at.lab.run = run  # type: ignore[method-assign]  # SSH
    fault = rebooted(at)
    assert asked == [("wkr1", 5.0), ("wkr2", 5.0)]
    wait(at, fault, 0.25)
    assert asked[2:] == asked[:2]
    assert not fault.took_effect()


def test_a_node_that_does_not_tell_its_boots_apart_is_refused(at: Beside) -> None:
    def fails() -> str:
        raise SwarmctlError("no /proc")

    at.lab.answers["boot_id"] = fails
    refusal = InstanceReboot(at.context()).refusal([ONE])
    assert refusal == "wkr1 does not report when it booted: no /proc"


def test_it_has_its_effect_when_every_machine_has_booted_anew(at: Beside) -> None:
    fault = rebooted(at)
    wait(at, fault, 2)
    assert not fault.took_effect()
    at.lab.states["wkr1"] = "pending"  # does not answer
    at.lab.answers["boot_id"] = "second"
    wait(at, fault, 1)
    assert at.texts("rebooted", "unreachable") == [
        "wkr1 does not answer any more",
        "wkr2 has rebooted",
    ]
    assert not fault.took_effect()
    at.lab.states["wkr1"] = "running"
    wait(at, fault, 1)
    assert at.texts("rebooted") == ["wkr2 has rebooted", "wkr1 has rebooted"]
    assert fault.took_effect()
    asked = len(at.lab.log)
    wait(at, fault, 2)
    assert len(at.lab.log) == asked  # nothing is left to ask


def test_without_a_boot_known_before_it_has_no_effect(at: Beside) -> None:
    assert not InstanceReboot(at.context()).took_effect()


def test_a_node_on_its_way_down_is_asked_again_twice_a_second(at: Beside) -> None:
    fault = rebooted(at)
    asked: list[float] = []

    def fails() -> str:
        asked.append(at.now)
        raise SwarmctlError("connection reset")

    at.lab.answers["boot_id"] = fails
    wait(at, fault, 1.5)
    assert asked == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    assert not fault.took_effect()


# --- the undo -------------------------------------------------------------------------------------


def test_the_undo_waits_until_every_machine_runs_and_answers(at: Beside) -> None:
    fault = rebooted(at)
    at.lab.states |= {"wkr1": "pending", "wkr2": "running"}
    reachable = at.lab.reachable
    silent = {"wkr2"}
    at.lab.reachable = lambda node: node not in silent and reachable(node)  # type: ignore[method-assign]  # SSH
    at.lab.clock.at(10, lambda: at.lab.states.update(wkr1="running"))
    at.lab.clock.at(20, silent.clear)
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert 20 <= at.now < 21
    prefix = "the reboot to end: "
    assert at.shown[0] == f"{prefix}wkr1 is pending, wkr2 does not answer"
    assert f"{prefix}wkr2 does not answer" in at.shown
    assert at.shown[-1] == f"{prefix}done"


def test_a_machine_that_stays_down_is_started(at: Beside) -> None:
    fault = rebooted(at)
    at.lab.states["wkr1"] = "stopped"
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert at.lab.log[-1] == "start wkr1"
    assert at.lab.states["wkr1"] == "running"


def test_a_machine_that_was_terminated_is_lost(at: Beside) -> None:
    fault = rebooted(at)
    at.lab.states["wkr1"] = "terminated"
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert list(fault.lost) == ["wkr1"]


def test_a_machine_that_does_not_come_back_is_named_with_what_ec2_says(at: Beside) -> None:
    fault = rebooted(at)
    at.lab.fail["state"] = SwarmctlError("RequestLimitExceeded")
    text = "waited 900 s for wkr1, wkr2 to be up again; last seen: wkr1 is RequestLimitExceeded"
    with pytest.raises(DeadlineExceededError, match=text):
        fault.revert(fault.undo_steps([ONE, TWO]))
