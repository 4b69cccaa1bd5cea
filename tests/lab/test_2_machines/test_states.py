"""An instance's state is the truth about its machine, whoever has changed the machine."""

from __future__ import annotations

import docker
import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.api import GOLDEN_AMI
from swarmctl.lab.machine import container_name
from swarmctl.wait import wait_for
from tests.lab.support import NAME, Lab
from tests.lab.test_2_machines.conftest import reaches

pytestmark = pytest.mark.timeout(300)


def test_a_paused_machine_can_be_stopped_and_started(
    lab: Lab, instance: str, engine: docker.DockerClient
) -> None:
    """Broken: one `docker pause` and the node is lost, after minutes of waiting."""
    container = engine.containers.get(container_name(NAME, instance))
    container.pause()
    lab.ec2.stop_instances(InstanceIds=[instance])
    reaches(lab, instance, "stopped")
    lab.ec2.start_instances(InstanceIds=[instance])
    reaches(lab, instance, "running")


def test_a_machine_that_reboots_itself_runs_all_the_time(
    lab: Lab, instance: str, engine: docker.DockerClient
) -> None:
    """Broken: a reboot after an upgrade of the kernel ends as a stopped instance."""
    machine = engine.containers.get(container_name(NAME, instance))
    before = machine.attrs["State"]["StartedAt"]
    machine.exec_run(["systemctl", "reboot"], detach=True)

    def again() -> tuple[bool | None, str]:
        machine.reload()
        state = machine.attrs["State"]
        up = state["Running"] and state["StartedAt"] != before
        return (True if up else None), str(state)

    wait_for("the machine to boot again", again, timeout=60)
    reaches(lab, instance, "running")


def test_a_removed_machine_is_terminated_and_cannot_be_started(
    lab: Lab, instance: str, engine: docker.DockerClient
) -> None:
    """Broken: the instance seems stopped, and to start it fails after minutes."""
    engine.containers.get(container_name(NAME, instance)).remove(force=True, v=True)
    assert "was removed" in reaches(lab, instance, "terminated")
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        lab.ec2.start_instances(InstanceIds=[instance])


def test_a_machine_whose_address_is_taken_says_so(
    lab: Lab, instance: str, engine: docker.DockerClient
) -> None:
    """Broken: the node never comes up, and its reason is not to be found."""
    machine = engine.containers.get(container_name(NAME, instance))
    (network,) = machine.attrs["NetworkSettings"]["Networks"]
    lab.ec2.stop_instances(InstanceIds=[instance])
    reaches(lab, instance, "stopped")
    (found,) = lab.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    address = found["Instances"][0]["PrivateIpAddress"]
    thief = engine.containers.create(
        machine.attrs["Config"]["Image"], "sleep 60", entrypoint="", network=network,
        networking_config={network: engine.api.create_endpoint_config(ipv4_address=address)},
    )  # fmt: skip
    try:
        thief.start()
        lab.ec2.start_instances(InstanceIds=[instance])
        reason = reaches(lab, instance, "stopped")
        assert "Server.InternalError: the machine did not boot: Address already in use" in reason
    finally:
        thief.remove(force=True, v=True)
    lab.ec2.start_instances(InstanceIds=[instance])
    reaches(lab, instance, "running")


def test_more_machines_than_this_computer_can_hold_are_refused(lab: Lab, subnet: str) -> None:
    """Broken: they die while they boot, and others with them."""
    with pytest.raises(ClientError, match="room for") as caught:
        lab.ec2.run_instances(ImageId=GOLDEN_AMI, MinCount=900, MaxCount=900, SubnetId=subnet)
    assert caught.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
