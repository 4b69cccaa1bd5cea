"""Which EC2 instance is which Swarm node, and the power switch of each.

The playbooks tag all they make: ``swarmctl:cluster``, and on instances ``swarmctl:role`` and
``swarmctl:ssh-user``. Credentials, region and endpoint come from where boto3 always takes them, so
the lab is just another environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import botocore.exceptions

from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef

CLUSTER_TAG = "swarmctl:cluster"
ROLE_TAG = "swarmctl:role"
SSH_USER_TAG = "swarmctl:ssh-user"

# Instances that are gone, or as good as gone, are listed by EC2 for about an hour more.
_THERE = ("pending", "running", "stopping", "stopped")

_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=20
)


class CloudError(SwarmctlError):
    """The EC2 API cannot be used, or refused a call."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine of a cluster."""

    id: str
    name: str  # the tag Name: the node's hostname, too
    role: str  # "manager" or "worker"
    state: str  # "pending", "running", "stopping" or "stopped"
    private_ip: str
    public_ip: str
    az: str
    ssh_user: str
    cluster: str
    unstoppable: str = ""  # why it cannot be stopped and started again

    @property
    def address(self) -> str:
        """Where it is reached from here: its public IP if it has one, else the private one."""
        return self.public_ip or self.private_ip


class Cloud:
    """The EC2 API of one region.

    Args:
        region: overrides the environment's.

    Raises:
        CloudError: no region or no credentials are configured; said before any call.
    """

    def __init__(self, region: str | None = None) -> None:
        session = boto3.Session(region_name=region)
        if session.region_name is None:
            raise CloudError(
                "no AWS region is set",
                'export AWS_REGION=eu-central-1; or, for the lab: eval "$(swarmctl lab env)"',
            )
        with _worded(session.region_name):
            credentials = session.get_credentials()
            if credentials is None:
                raise CloudError(
                    "no AWS credentials were found",
                    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; "
                    'or, for the lab: eval "$(swarmctl lab env)"',
                )
            self._ec2: EC2Client = session.client("ec2", config=_CONFIG)
        self.region: str = session.region_name

    def clusters(self) -> tuple[str, ...]:
        """The names of the clusters that have instances in this region."""
        filters: list[FilterTypeDef] = [{"Name": "tag-key", "Values": [CLUSTER_TAG]}]
        return tuple(sorted({instance.cluster for instance in self._find(filters)}))

    def instances(self, cluster: str) -> tuple[Instance, ...]:
        """The instances of a cluster, managers first, without terminated ones.

        Raises:
            CloudError: the call failed.
        """
        filters: list[FilterTypeDef] = [{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}]
        return tuple(sorted(self._find(filters), key=lambda i: (i.role, _natural(i.name))))

    def stop(self, instance_id: str, force: bool = False) -> None:
        """Ask EC2 to stop an instance; returns when the request is accepted.

        Args:
            instance_id: ``i-…``.
            force: pull the plug instead of a clean shutdown.

        Raises:
            CloudError: EC2 refused.
        """
        with _worded(self.region):
            self._ec2.stop_instances(InstanceIds=[instance_id], Force=force)

    def terminate(self, instance_id: str) -> None:
        """Ask EC2 to end an instance for good; returns when the request is accepted.

        Raises:
            CloudError: EC2 refused.
        """
        with _worded(self.region):
            self._ec2.terminate_instances(InstanceIds=[instance_id])

    def reboot(self, instance_id: str) -> None:
        """Ask EC2 to restart a machine; returns when the request is accepted.

        Raises:
            CloudError: EC2 refused.
        """
        with _worded(self.region):
            self._ec2.reboot_instances(InstanceIds=[instance_id])

    def start(self, instance_id: str) -> None:
        """Ask EC2 to start an instance; returns when the request is accepted.

        Raises:
            CloudError: EC2 refused, for example because the instance is still stopping.
        """
        with _worded(self.region):
            self._ec2.start_instances(InstanceIds=[instance_id])

    def state(self, instance_id: str) -> str:
        """The state of an instance now, ``terminated`` included.

        Raises:
            CloudError: there is no such instance, or the call failed.
        """
        with _worded(self.region):
            answer = self._ec2.describe_instances(InstanceIds=[instance_id])
        found = [i for r in answer["Reservations"] for i in r["Instances"]]
        if not found:
            raise CloudError(f"EC2 in {self.region} knows no instance {instance_id}")
        return found[0]["State"]["Name"]

    def _find(self, filters: Sequence[FilterTypeDef]) -> Iterator[Instance]:
        there: FilterTypeDef = {"Name": "instance-state-name", "Values": list(_THERE)}
        with _worded(self.region):
            pages = self._ec2.get_paginator("describe_instances").paginate(
                Filters=[*filters, there]
            )
            for page in pages:
                for reservation in page["Reservations"]:
                    yield from map(_instance, reservation["Instances"])


def by_name(instances: Sequence[Instance], name: str) -> Instance:
    """The instance of that name or id.

    Raises:
        UsageError: there is none; the hint lists those there are.
    """
    for instance in instances:
        if name in (instance.name, instance.id):
            return instance
    raise unknown("instance", name, (instance.name for instance in instances))


def _natural(name: str) -> tuple[str, int]:
    """Sorts wkr10 behind wkr9."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _instance(raw: Mapping[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", ())}
    return Instance(
        id=raw["InstanceId"],
        name=tags.get("Name", raw["InstanceId"]),
        role=tags.get(ROLE_TAG, ""),
        state=raw["State"]["Name"],
        private_ip=raw.get("PrivateIpAddress", ""),
        public_ip=raw.get("PublicIpAddress", ""),
        az=raw.get("Placement", {}).get("AvailabilityZone", ""),
        ssh_user=tags.get(SSH_USER_TAG, ""),
        cluster=tags.get(CLUSTER_TAG, ""),
        unstoppable=_unstoppable(raw, tags),
    )


def _unstoppable(raw: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html"""
    if raw.get("InstanceLifecycle") == "spot":
        return "a spot instance: EC2 may give its capacity to somebody else"
    if raw.get("RootDeviceType") == "instance-store":
        return "its root is an instance store: it cannot be stopped, only terminated"
    group = tags.get("aws:autoscaling:groupName")
    return f"a member of the Auto Scaling group {group}, which would replace it" if group else ""


@contextmanager
def _worded(region: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    try:
        yield
    except botocore.exceptions.ClientError as fault:
        error = fault.response.get("Error", {})
        raise CloudError(
            f"EC2 in {region} refused {fault.operation_name}: {error.get('Message') or fault}",
            _ADVICE.get(error.get("Code", ""), ""),
        ) from fault
    except botocore.exceptions.EndpointConnectionError as fault:
        raise CloudError(
            str(fault), "is the network up? for the lab: swarmctl lab status"
        ) from fault
    except botocore.exceptions.BotoCoreError as fault:
        raise CloudError(f"AWS cannot be used: {fault}") from fault


_ADVICE = {
    "AuthFailure": "check the credentials: aws sts get-caller-identity",
    "UnauthorizedOperation": "the credentials lack a permission; see README.md",
    "RequestExpired": "the credentials have expired, or this machine's clock is wrong",
    "IncorrectInstanceState": "wait until the instance is stopped, then try again",
    "IncorrectState": "wait until the instance is stopped, then try again",
    "InvalidInstanceID.NotFound": "it was terminated, or lies in another region",
}
