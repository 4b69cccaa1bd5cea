"""A machine finds its role's credentials where EC2 has them, and can use the API with them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import docker
import pytest
from docker.models.containers import Container

from swarmctl.lab.machine import container_name
from tests.lab.support import NAME, Lab
from tests.lab.test_2_machines.conftest import run

pytestmark = pytest.mark.timeout(300)

ROLE = "metadata-test"
TOKEN = """
curl -sS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' \\
  http://169.254.169.254/latest/api/token
"""
# From a container, as real images do: with the SDK, which is told the endpoint and the region.
CALL = """
import boto3, sys
print(boto3.client("sts").get_caller_identity()["Arn"])
print(len(boto3.client("ec2").describe_instances()["Reservations"]))
try:
    boto3.client("ec2").describe_vpcs()
except Exception as error:
    print(error)
"""


@pytest.fixture
def machine(lab: Lab, instance: str, engine: docker.DockerClient) -> Iterator[Container]:
    """A machine whose profile may describe instances, and nothing else."""
    iam = lab.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_policy("sts:AssumeRole"))
    iam.put_role_policy(
        RoleName=ROLE, PolicyName=ROLE, PolicyDocument=_policy("ec2:DescribeInstances")
    )
    iam.create_instance_profile(InstanceProfileName=ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    lab.ec2.associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": ROLE})
    yield engine.containers.get(container_name(NAME, instance))
    iam.remove_role_from_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    iam.delete_instance_profile(InstanceProfileName=ROLE)
    iam.delete_role_policy(RoleName=ROLE, PolicyName=ROLE)
    iam.delete_role(RoleName=ROLE)


def _policy(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_sdk_in_a_machine_needs_no_key(lab: Lab, machine: Container, instance: str) -> None:
    """Broken: the discovery agent works on AWS only, so nobody sees it work before."""
    machine.put_archive("/opt", _sdk())
    said = run(
        machine,
        "python3",
        "-c",
        CALL,
        PYTHONPATH="/opt",
        AWS_ENDPOINT_URL=lab.env["SWARMCTL_NODE_AWS_ENDPOINT_URL"],
        AWS_DEFAULT_REGION=lab.env["AWS_REGION"],
    )
    assert f":assumed-role/{ROLE}/{instance}\n" in said
    assert "UnauthorizedOperation" in said
    assert "is not authorized to perform: ec2:DescribeVpcs" in said


def test_the_metadata_need_a_token_and_a_container_gets_none(machine: Container) -> None:
    """Broken: a container steals the node's role, or the agent on the host network has none."""
    assert len(run(machine, "sh", "-c", TOKEN)) > 30
    container = "docker run --rm --network {} node:20 node -e '{}'"
    script = (
        'fetch("http://169.254.169.254/latest/api/token", {method: "PUT", headers: '
        '{"X-aws-ec2-metadata-token-ttl-seconds": "60"}, signal: AbortSignal.timeout(5000)})'
        '.then(r => console.log("token", r.status), e => console.log("none"))'
    )
    assert "token 200" in run(machine, "sh", "-c", container.format("host", script))
    assert "none" in run(machine, "sh", "-c", container.format("bridge", script))


def _sdk() -> bytes:
    """boto3 and what it needs, of which only the services used here."""
    site = Path(boto3.__file__).parents[1]
    names = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
    buffer = io.BytesIO()

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        parts = Path(entry.name).parts
        service = parts[2] if parts[:2] == ("botocore", "data") and len(parts) > 2 else ""
        skip = service and "." not in service and service not in ("ec2", "sts")
        return None if skip or "__pycache__" in parts else entry

    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.add(site / name, name, filter=wanted)
    return buffer.getvalue()
