"""What the controller does about a difference between the API and the machines."""

from dataclasses import replace

import pytest

from swarmctl.lab.api import Ec2Instance
from swarmctl.lab.controller import next_step


def instance(state: str, *, reboot: bool = False, launched: bool = True) -> Ec2Instance:
    machine = Ec2Instance("i-1", "wkr1", state, "ami-1", "10.42.1.4", "vpc-1", ())
    return replace(machine, reboot_requested=reboot, launched=launched)


@pytest.mark.parametrize(
    ("state", "container", "step"),
    [
        ("pending", "exited", "boot"),
        ("pending", "paused", "boot"),
        ("pending", None, "lost"),
        ("running", "running", ""),
        ("running", "exited", "ended"),
        ("running", None, "lost"),
        ("running", "paused", ""),
        ("stopping", "running", "stop"),
        ("stopping", "exited", "stop"),
        ("stopping", "paused", "stop"),
        ("stopping", None, "stop"),
        ("stopped", "exited", ""),
        ("stopped", None, "lost"),
        ("shutting-down", "running", "remove"),
        ("shutting-down", None, "remove"),
        ("terminated", None, ""),
    ],
)
def test_each_difference_has_one_next_step(state: str, container: str | None, step: str) -> None:
    assert next_step(instance(state), container) == step


def test_a_machine_that_has_never_run_cannot_be_lost() -> None:
    assert next_step(instance("pending", launched=False), None) == "boot"
    assert next_step(instance("stopped", launched=False), None) == ""


def test_only_a_running_machine_is_rebooted() -> None:
    assert next_step(instance("running", reboot=True), "running") == "reboot"
    assert next_step(instance("running", reboot=True), "exited") == "ended"
