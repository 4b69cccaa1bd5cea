"""What the controller does about a difference between the API and the machines."""

import pytest

from swarmctl.lab.api import Ec2Instance
from swarmctl.lab.controller import next_step


def instance(state: str, *, reboot: bool = False) -> Ec2Instance:
    return Ec2Instance(
        "i-1", "wkr1", state, "ami-1", "10.42.1.4", "vpc-1", (), reboot_requested=reboot
    )


@pytest.mark.parametrize(
    ("state", "container", "step"),
    [
        ("pending", None, "boot"),
        ("pending", "exited", "boot"),
        ("running", "running", ""),
        ("running", "exited", "ended"),
        ("running", None, "ended"),
        ("stopping", "running", "stop"),
        ("stopping", "exited", "stop"),
        ("stopped", "exited", ""),
        ("shutting-down", "running", "remove"),
        ("shutting-down", None, "remove"),
        ("terminated", None, ""),
    ],
)
def test_each_difference_has_one_next_step(state: str, container: str | None, step: str) -> None:
    assert next_step(instance(state), container) == step


def test_only_a_running_machine_is_rebooted() -> None:
    assert next_step(instance("running", reboot=True), "running") == "reboot"
    assert next_step(instance("running", reboot=True), "exited") == "ended"
