"""The EC2 instances of a cluster: which is which Swarm node, and how to stop or start one.

The playbooks tag everything they create: ``swarmctl:cluster``, and on instances ``swarmctl:role``
and ``swarmctl:ssh-user``. boto3 takes credentials, region and endpoint from the environment; the
lab is only another environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.config
import botocore.exceptions

from swarmctl.cloud.security_groups import SecurityGroup, SecurityGroups, security_group
from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import MAX_REASON, errors_in_words
from swarmctl.reading.texts import clean, one_line

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef

CLUSTER_TAG = "swarmctl:cluster"
ROLE_TAG = "swarmctl:role"
SSH_USER_TAG = "swarmctl:ssh-user"
SSH_JUMP_TAG = "swarmctl:ssh-jump"

# EC2 lists terminated instances for about an hour more.
_EXISTING = ("pending", "running", "stopping", "stopped")

_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=20
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine of a cluster."""

    id: str
    name: str  # the tag Name, which is the node's hostname
    role: str  # "manager" or "worker"
    state: str  # "pending", "running", "stopping" or "stopped"
    private_ip: str
    public_ip: str
    az: str
    ssh_user: str
    cluster: str
    groups: tuple[str, ...] = ()  # ids of its security groups
    unstoppable: str = ""  # why it cannot be stopped and started again
    ssh_port: int = 22
    ssh_key: str | None = None  # a file; "": the user's own keys; None: the cluster's
    ssh_jump: str = ""  # how SSH gets there: "", "managers" or "user@host[:port]"

    @property
    def address(self) -> str:
        """The address to reach it at: its public IP if it has one, else the private one."""
        return self.public_ip or self.private_ip


@dataclass(frozen=True, slots=True)
class Protection:
    """How EC2 protects an instance.

    Attributes:
        tokens_required: whether instance metadata need a token (IMDSv2), or are off.
        hop_limit: how many hops the token may pass; with 1, it reaches no container.
        unencrypted: ids of volumes that are not encrypted.
    """

    id: str
    tokens_required: bool
    hop_limit: int
    unencrypted: tuple[str, ...] = ()


class Cloud:
    """The EC2 API of one region. All methods raise ``CloudError`` when a call fails.

    Requests return when EC2 has accepted them, not when they are carried out.
    """

    def __init__(self, region: str | None = None) -> None:
        """Read the configuration; nothing is called yet.

        Args:
            region: overrides the environment's.

        Raises:
            CloudError: no region or no credentials are configured.
        """
        session = aws_session(region)
        with errors_in_words("AWS"):
            if session.get_credentials() is None:
                raise botocore.exceptions.NoCredentialsError
        self._ec2: EC2Client = aws_client(session, "ec2", _CONFIG)
        self.region: str = session.region_name

    def clusters(self) -> tuple[str, ...]:
        """The names of the clusters that have instances in this region."""
        filters: list[FilterTypeDef] = [{"Name": "tag-key", "Values": [CLUSTER_TAG]}]
        return tuple(sorted({instance.cluster for instance in self._find(filters)}))

    def instances(self, cluster: str) -> tuple[Instance, ...]:
        """The instances of a cluster, managers first, without terminated ones.

        In a filter, ``*`` and ``?`` match other names, so the tags of the answer are compared too.
        """
        filters: list[FilterTypeDef] = [{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}]
        ours = (i for i in self._find(filters) if i.cluster == cluster)
        return tuple(sorted(ours, key=lambda i: (i.role, _natural(i.name))))

    def security_groups(self, cluster: str, instances: Iterable[Instance]) -> SecurityGroups:
        """A cluster's security groups, and all others that any of these instances has, by id."""
        attached = {group for instance in instances for group in instance.groups}
        found = self._groups(Filters=[{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}])
        own = {g.id: g for g in found if g.tags.get(CLUSTER_TAG) == cluster}  # * is a wildcard
        others = sorted(attached - set(own))
        return own | {g.id: g for g in (self._groups(GroupIds=others) if others else ())}

    def protection(self, instances: Iterable[Instance]) -> dict[str, Protection]:
        """How the instances are protected, by name."""
        names = {instance.id: instance.name for instance in instances}
        attached: FilterTypeDef = {"Name": "attachment.instance-id", "Values": list(names)}
        open_disks: dict[str, list[str]] = {}
        found = {}
        with self._in_words():
            for disks in self._ec2.get_paginator("describe_volumes").paginate(Filters=[attached]):
                for volume in (v for v in disks["Volumes"] if not v["Encrypted"]):
                    for use in volume["Attachments"]:
                        open_disks.setdefault(use["InstanceId"], []).append(volume["VolumeId"])
            pages = self._ec2.get_paginator("describe_instances").paginate(InstanceIds=list(names))
            for raw in (i for page in pages for r in page["Reservations"] for i in r["Instances"]):
                id_, options = raw["InstanceId"], raw["MetadataOptions"]
                off = options["HttpEndpoint"] == "disabled"
                found[names[id_]] = Protection(
                    id_,
                    off or options["HttpTokens"] == "required",
                    1 if off else options["HttpPutResponseHopLimit"],
                    tuple(open_disks.get(id_, ())),
                )
        return found

    def _groups(self, **which: Any) -> list[SecurityGroup]:
        with self._in_words():
            pages = self._ec2.get_paginator("describe_security_groups").paginate(**which)
            return [security_group(raw) for page in pages for raw in page["SecurityGroups"]]

    def stop(self, instance_id: str, force: bool = False) -> None:
        """Ask EC2 to stop an instance; ``force`` pulls the plug instead of a clean shutdown."""
        with self._in_words():
            self._ec2.stop_instances(InstanceIds=[instance_id], Force=force)

    def terminate(self, instance_id: str) -> None:
        """Ask EC2 to terminate an instance."""
        with self._in_words():
            self._ec2.terminate_instances(InstanceIds=[instance_id])

    def reboot(self, instance_id: str) -> None:
        """Ask EC2 to reboot an instance."""
        with self._in_words():
            self._ec2.reboot_instances(InstanceIds=[instance_id])

    def start(self, instance_id: str) -> None:
        """Ask EC2 to start an instance; refused while it is still stopping."""
        with self._in_words():
            self._ec2.start_instances(InstanceIds=[instance_id])

    def state(self, instance_id: str) -> str:
        """The state of an instance now; ``terminated`` also when EC2 does not know it any more.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html: a terminated
        instance is listed for about an hour.
        """
        with self._in_words():
            try:
                answer = self._ec2.describe_instances(InstanceIds=[instance_id])
            except botocore.exceptions.ClientError as fault:
                if fault.response.get("Error", {}).get("Code") != "InvalidInstanceID.NotFound":
                    raise
                return "terminated"
        found = [i for r in answer["Reservations"] for i in r["Instances"]]
        return found[0]["State"]["Name"] if found else "terminated"

    def console(self, instance_id: str) -> str:
        """The console output of an instance; ``""`` while there is none.

        The newest, where EC2 can give it (Nitro), else what it has kept since the last start.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
        """
        with self._in_words():
            try:
                answer = self._ec2.get_console_output(InstanceId=instance_id, Latest=True)
            except botocore.exceptions.ClientError as fault:
                if fault.response["Error"]["Code"] != "UnsupportedOperation":
                    raise
                answer = self._ec2.get_console_output(InstanceId=instance_id)
        return answer.get("Output", "")

    def not_running(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Those that neither run nor are about to: their state, and EC2's reason for it, by id."""
        with self._in_words():
            answer = self._ec2.describe_instances(InstanceIds=list(instance_ids))
        found = [i for r in answer["Reservations"] for i in r["Instances"]]
        return {
            i["InstanceId"]: one_line(
                ": ".join(
                    filter(None, (i["State"]["Name"], i.get("StateReason", {}).get("Message")))
                ),
                MAX_REASON,
            )
            for i in found
            if i["State"]["Name"] not in ("pending", "running")
        }

    def replace_key_pair(self, cluster: str, public_key: str) -> list[str]:
        """Give the cluster's key pairs this key, under the same names; those that had another one.

        EC2 can neither change nor rename a key pair: it is deleted and imported. Instances are not
        touched; launch templates name it, so instances that are made later get the new key.
        """
        with self._in_words():
            answer = self._ec2.describe_key_pairs(
                Filters=[{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}],
                IncludePublicKey=True,
            )
            found = {p["KeyName"]: p.get("PublicKey", "").split() for p in answer["KeyPairs"]}
            blob = public_key.split()[1]
            # None at all: an earlier call was stopped between the two steps.
            old = [name for name, words in found.items() if blob not in words]
            old = old if found else [f"{cluster}_key"]
            for name in old:
                self._ec2.delete_key_pair(KeyName=name)
                self._ec2.import_key_pair(
                    KeyName=name,
                    PublicKeyMaterial=public_key.encode(),
                    TagSpecifications=[
                        {
                            "ResourceType": "key-pair",
                            "Tags": [{"Key": CLUSTER_TAG, "Value": cluster}],
                        }
                    ],
                )
        return old

    def _in_words(self) -> AbstractContextManager[None]:
        return errors_in_words(f"EC2 in {self.region}", with_code=False)

    def _find(self, filters: Sequence[FilterTypeDef]) -> Iterator[Instance]:
        existing: FilterTypeDef = {"Name": "instance-state-name", "Values": list(_EXISTING)}
        with self._in_words():
            pages = self._ec2.get_paginator("describe_instances")
            for page in pages.paginate(Filters=[*filters, existing]):
                for reservation in page["Reservations"]:
                    yield from map(_instance, reservation["Instances"])


def _natural(name: str) -> tuple[str, int]:
    """Sorts wkr10 behind wkr9."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _instance(raw: Mapping[str, Any]) -> Instance:
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", ())}
    return Instance(
        id=raw["InstanceId"],
        name=clean(tags.get("Name", raw["InstanceId"])),
        role=tags.get(ROLE_TAG, ""),
        state=raw["State"]["Name"],
        private_ip=raw.get("PrivateIpAddress", ""),
        public_ip=raw.get("PublicIpAddress", ""),
        az=raw.get("Placement", {}).get("AvailabilityZone", ""),
        ssh_user=tags.get(SSH_USER_TAG, ""),
        cluster=tags.get(CLUSTER_TAG, ""),
        groups=tuple(group["GroupId"] for group in raw.get("SecurityGroups", ())),
        unstoppable=_unstoppable(raw, tags),
        ssh_jump=tags.get(SSH_JUMP_TAG, ""),
    )


def _unstoppable(raw: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html"""
    if raw.get("InstanceLifecycle") == "spot":
        return "a spot instance: EC2 may give its capacity to another customer"
    if raw.get("RootDeviceType") == "instance-store":
        return "its root is an instance store: it cannot be stopped, only terminated"
    group = tags.get("aws:autoscaling:groupName")
    return f"a member of the Auto Scaling group {group}, which would replace it" if group else ""
