"""A machine by itself, in a network of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from swarmctl.lab.api import GOLDEN_AMI
from swarmctl.wait import wait_for
from tests.lab.support import Lab


@pytest.fixture(scope="package")
def subnet(lab: Lab) -> Iterator[str]:
    """A network that nothing else uses."""
    vpc = lab.ec2.create_vpc(CidrBlock="10.93.0.0/16")["Vpc"]["VpcId"]
    made = lab.ec2.create_subnet(VpcId=vpc, CidrBlock="10.93.1.0/24")["Subnet"]["SubnetId"]
    yield made
    lab.ec2.delete_subnet(SubnetId=made)
    lab.ec2.delete_vpc(VpcId=vpc)


@pytest.fixture
def instance(lab: Lab, subnet: str) -> Iterator[str]:
    """A machine that runs."""
    run = lab.ec2.run_instances(ImageId=GOLDEN_AMI, MinCount=1, MaxCount=1, SubnetId=subnet)
    made = run["Instances"][0]["InstanceId"]
    reaches(lab, made, "running")
    yield made
    lab.ec2.terminate_instances(InstanceIds=[made])
    reaches(lab, made, "terminated")


def run(machine: Container, *argv: str, **environment: str) -> str:
    """The output of a command in a machine."""
    output = machine.exec_run(list(argv), environment=environment).output
    assert isinstance(output, bytes)
    return output.decode()


def reaches(lab: Lab, instance: str, state: str) -> str:
    """Wait for a state; returns the reason for it."""

    def seen() -> tuple[str | None, str]:
        (found,) = lab.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        machine = found["Instances"][0]
        now = machine["State"]["Name"]
        return (machine.get("StateTransitionReason", "") if now == state else None), now

    return wait_for(f"{instance} to be {state}", seen, timeout=60)
