"""Patches for moto 5.2.5: bugs that matter here, and instance states that follow the machines.

Each function is one patch and says when it can be removed. The process that serves the API calls
``apply`` once, before the first request.
"""

from __future__ import annotations

import contextvars
import json
import secrets
from collections.abc import Callable, Collection
from ipaddress import ip_network
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, StateReason
from moto.ec2.models.launch_templates import LaunchTemplateBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.vpcs import VPCs
from moto.iam import models as iam_models
from moto.logs.exceptions import InvalidParameterException
from moto.logs.responses import LogsResponse

from swarmctl.lab.host.computer import Computer
from swarmctl.reading.texts import clean, one_line

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html
STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}

# What EC2 puts before the message of a StateReason.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_REASON_CODES = {
    "User initiated": "Client.UserInitiatedShutdown",
    "Instance initiated": "Client.InstanceInitiatedShutdown",
}
MAX_REASON = 250  # characters

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
MAX_CONSOLE = 64 << 10  # characters

_force_stop: contextvars.ContextVar[bool] = contextvars.ContextVar("force_stop", default=False)


def apply(computer: Computer) -> None:
    """Patch moto in this process."""
    _numbered_protocols_in_security_groups()
    _launch_template_tags_stay_out_of_its_data()
    _launch_template_gives_profile_and_metadata_options()
    _updated_rule_descriptions_are_acknowledged()
    _no_public_addresses()
    _instance_states_follow_the_machines()
    _forced_stops_are_distinguished()
    _console_output_is_the_machines(computer.console)
    _taken_addresses_are_refused(computer.conflict)
    _more_machines_than_fit_are_refused(computer.no_room)
    _log_events_of_a_prefix_in_order_of_time()
    _retentions_are_those_of_cloudwatch()
    _secrets_of_users_cannot_be_guessed()


def set_state(instance: Any, name: str, reason: str = "") -> None:
    """Move moto's ``Instance`` to a state of ``STATE_CODES``; ``""`` clears its StateReason."""
    reason = one_line(reason, MAX_REASON)
    instance._state = InstanceState(name, STATE_CODES[name])
    instance._reason = reason
    code = _REASON_CODES.get(reason, "Server.InternalError")
    instance.state_reason = StateReason(reason, code) if reason else StateReason()


def _numbered_protocols_in_security_groups() -> None:
    """ESP (protocol 50) has no ports; moto turns the missing ports into HTTP 500.

    Can be removed when ``SecurityGroupRule.__init__`` no longer calls ``int(None)``.
    """
    original = SecurityGroupRule.__init__
    with_ports = {"tcp", "udp", "icmp", "6", "17", "1"}

    def init(self: Any, ec2_backend: Any, ip_protocol: str, *args: Any, **kwargs: Any) -> None:
        if str(ip_protocol).lower() in with_ports:
            original(self, ec2_backend, ip_protocol, *args, **kwargs)
            return
        original(self, ec2_backend, "-1", *args, **kwargs)
        if str(ip_protocol).lower() != "all":
            self.ip_protocol = str(ip_protocol)

    SecurityGroupRule.__init__ = init  # type: ignore[method-assign]  # a patch


def _launch_template_tags_stay_out_of_its_data() -> None:
    """The template's own tags leak into its data, so a second run of a playbook sees a change.

    Can be removed when CreateLaunchTemplate no longer extends ``TagSpecifications`` of the data.
    """
    original = LaunchTemplateBackend.create_launch_template

    def create(self: Any, name: str, description: str, template_data: Any, tag_spec: Any) -> Any:
        data = dict(template_data)
        specs = data.pop("TagSpecifications", [])
        if specs := [s for s in specs if s["ResourceType"] != "launch-template"]:
            data["TagSpecifications"] = specs
        return original(self, name, description, data, tag_spec)

    LaunchTemplateBackend.create_launch_template = create  # type: ignore[method-assign]  # patch


def _launch_template_gives_profile_and_metadata_options() -> None:
    """moto forgets both: no machine would have a role, nor IMDSv2; and it adds a root volume.

    Can be removed when ``InstanceBackend.run_instances`` reads them from the template's data.
    """
    original = InstanceBackend.run_instances

    def run_instances(self: Any, *args: Any, **kwargs: Any) -> Any:
        template = kwargs.get("launch_template")
        data = self._get_template_from_args(template).data if template else {}
        if not kwargs.get("metadata_options"):
            kwargs["metadata_options"] = data.get("MetadataOptions", {})
        made = original(self, *args, **kwargs)
        name, arn = (kwargs.get(f"iam_instance_profile_{key}") for key in ("name", "arn"))
        # moto itself gives a profile of the request to the first instance only.
        without = made.instances[1:] if name or arn else made.instances
        if not (name or arn):
            profile = data.get("IamInstanceProfile", {})
            name, arn = profile.get("Name"), profile.get("Arn")
        for instance in without if name or arn else ():
            self.associate_iam_instance_profile(instance.id, name, arn)
        for instance in made.instances if data.get("BlockDeviceMappings") else ():
            # moto adds a root volume of its own, which is not encrypted.
            root = instance.block_device_mapping.get("/dev/sda1")
            if root and len(instance.block_device_mapping) > 1:
                self.detach_volume(root.volume_id, instance.id, "/dev/sda1")
                self.delete_volume(root.volume_id)
        return made

    InstanceBackend.run_instances = run_instances  # type: ignore[method-assign]  # patch


def _updated_rule_descriptions_are_acknowledged() -> None:
    """UpdateSecurityGroupRuleDescriptions* answer without ``Return``, which amazon.aws reads.

    Can be removed when moto's answers have it.
    """
    for direction in ("ingress", "egress"):
        name = f"update_security_group_rule_descriptions_{direction}"
        original = getattr(SecurityGroups, name)

        def update(self: Any, original: Callable[[Any], Any] = original) -> ActionResult:
            original(self)
            return ActionResult({"Return": True})

        setattr(SecurityGroups, name, update)


def _no_public_addresses() -> None:
    """Inventories would use moto's made-up public addresses, which reach nothing.

    Permanent: the lab's machines are reached by their private addresses.
    """

    def check_auto_public_ip(self: Any) -> None:
        self.public_ip = None

    NetworkInterface.check_auto_public_ip = check_auto_public_ip  # type: ignore[method-assign]  # patch


def _instance_states_follow_the_machines() -> None:
    """moto's transitions are instantaneous, and a terminated instance can be started.

    Permanent: the controller changes an instance's state when its machine has reached it.
    """
    original_init, original_terminate = Instance.__init__, Instance.terminate

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        self.force_stop = False
        self.reboot_requested = False
        self.launched = False
        set_state(self, "pending")

    def terminate(self: Any) -> InstanceState:
        previous: InstanceState = self._state
        if self.state not in ("shutting-down", "terminated"):
            original_terminate(self)
            set_state(self, "shutting-down")
        return previous

    Instance.__init__ = init  # type: ignore[method-assign]  # patch
    Instance.start = _start  # type: ignore[method-assign]  # patch
    Instance.stop = _stop  # type: ignore[method-assign]  # patch
    Instance.terminate = terminate  # type: ignore[method-assign]  # patch
    Instance.reboot = _reboot  # type: ignore[method-assign]  # patch


def _start(self: Any) -> InstanceState:
    _refuse_unless(self, "stopped", "running", "pending")
    previous: InstanceState = self._state
    if self.state == "stopped":
        set_state(self, "pending")
    return previous


def _stop(self: Any) -> InstanceState:
    _refuse_unless(self, "pending", "running", "stopping", "stopped")
    previous: InstanceState = self._state
    if self.state != "stopped":
        self.force_stop = _force_stop.get()
        set_state(self, "stopping")
    return previous


def _reboot(self: Any) -> None:
    _refuse_unless(self, "running")
    self.reboot_requested = True


def _refuse_unless(instance: Any, *allowed: str) -> None:
    if instance.state not in allowed:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is in state '{instance.state}', "
            f"from which this is not possible; it must be: {', '.join(allowed)}.",
        )


def _forced_stops_are_distinguished() -> None:
    """moto does not pass StopInstances' ``Force`` to the instance.

    Can be removed when ``Instance.stop`` receives it.
    """
    original = InstanceResponse.stop_instances

    def stop_instances(self: Any) -> ActionResult:
        token = _force_stop.set(str(self._get_param("Force", "")).lower() == "true")
        try:
            return original(self)
        finally:
            _force_stop.reset(token)

    InstanceResponse.stop_instances = stop_instances  # type: ignore[method-assign]  # patch


def _console_output_is_the_machines(console: Callable[[str], str]) -> None:
    """moto answers GetConsoleOutput with a sample instead of the machine's output.

    Permanent.
    """

    def get_console_output(self: Any) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        output = Base64EncodedString.from_raw_string(clean(console(instance.id))[-MAX_CONSOLE:])
        return ActionResult({"InstanceId": instance.id, "Output": output})

    General.get_console_output = get_console_output  # type: ignore[method-assign]  # patch


def _taken_addresses_are_refused(conflict: Callable[[str], str]) -> None:
    """On AWS every VPC has addresses of its own; in the lab they are this computer's.

    Permanent.
    """
    original = VPCs.create_vpc

    def create_vpc(self: Any) -> ActionResult:
        cidr = self._get_param("CidrBlock")
        try:
            wanted = ip_network(cidr)
        except ValueError:
            return original(self)  # which refuses it
        for vpc in self.ec2_backend.vpcs.values():
            # The default VPC has a network only when an instance is started in it.
            if not vpc.is_default and wanted.overlaps(ip_network(vpc.cidr_block)):
                why = f"{cidr} is taken: the VPC {vpc.id} of this lab has {vpc.cidr_block}"
                raise EC2ClientError("InvalidVpc.Range", f"{why}; choose another vpc_cidr")
        if problem := conflict(cidr):
            raise EC2ClientError("InvalidVpc.Range", problem)
        return original(self)

    VPCs.create_vpc = create_vpc  # type: ignore[method-assign]  # patch


def _more_machines_than_fit_are_refused(no_room: Callable[[int, Collection[str]], str]) -> None:
    """Beyond the memory and the kernel's limits of this computer, machines die while they boot.

    Permanent.
    """
    run_instances, start_instances = (
        InstanceResponse.run_instances,
        InstanceResponse.start_instances,
    )

    def refuse(self: Any, wanted: int) -> None:
        starting = [i.id for i in self.ec2_backend.all_instances() if i.state == "pending"]
        if wanted and (problem := no_room(wanted, starting)):
            raise EC2ClientError("InsufficientInstanceCapacity", problem)

    def run(self: Any) -> ActionResult:
        refuse(self, int(self._get_param("MinCount", if_none="1")))
        return run_instances(self)

    def start(self: Any) -> ActionResult:
        asked = set(self._get_param("InstanceIds", []))
        stopped = [i for i in self.ec2_backend.all_instances() if i.state == "stopped"]
        refuse(self, len([i for i in stopped if i.id in asked]))
        return start_instances(self)

    InstanceResponse.run_instances = run  # type: ignore[method-assign]  # patch
    InstanceResponse.start_instances = start  # type: ignore[method-assign]  # patch


def _log_events_of_a_prefix_in_order_of_time() -> None:
    """FilterLogEvents ignores ``logStreamNamePrefix``, and gives one stream after the other.

    Can be removed when ``LogsResponse.filter_log_events`` reads the prefix and AWS's default order.
    """

    def filter_log_events(self: Any) -> str:
        group, prefix = self._get_param("logGroupName"), self._get_param("logStreamNamePrefix")
        names = self._get_param("logStreamNames", [])
        if prefix and group in self.logs_backend.groups:
            streams = self.logs_backend.groups[group].streams
            names = [name for name in streams if name.startswith(prefix)] or ["\0none"]
        asked = ("startTime", "endTime", "limit", "nextToken", "filterPattern")
        events, token, searched = self.logs_backend.filter_log_events(
            group, names, *(self._get_param(name) for name in asked), interleaved=True
        )
        return json.dumps({"events": events, "nextToken": token, "searchedLogStreams": searched})

    LogsResponse.filter_log_events = filter_log_events  # type: ignore[method-assign]  # patch


# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_RETENTIONS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip


def _retentions_are_those_of_cloudwatch() -> None:
    """PutRetentionPolicy takes any number.

    Can be removed when moto refuses those that CloudWatch refuses.
    """
    original = LogsResponse.put_retention_policy

    def put_retention_policy(self: Any) -> str:
        days = self._get_param("retentionInDays")
        if days not in _RETENTIONS:
            allowed = f"Member must satisfy enum value set: {list(_RETENTIONS)}"
            raise InvalidParameterException(None, allowed, "retentionInDays", days)
        return original(self)

    LogsResponse.put_retention_policy = put_retention_policy  # type: ignore[method-assign]  # patch


def _secrets_of_users_cannot_be_guessed() -> None:
    """moto's random numbers can be told from those before: enough for ids, not for keys."""
    access_key = iam_models.AccessKey.__init__

    def with_secret(self: Any, *args: Any, **kwargs: Any) -> None:
        access_key(self, *args, **kwargs)
        self.secret_access_key = secrets.token_urlsafe(30)

    iam_models.AccessKey.__init__ = with_secret  # type: ignore[method-assign]  # moto has no hook
