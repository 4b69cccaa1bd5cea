"""Target groups of a load balancer: settings and targets, by instance and port.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from swarmctl.cloud.load_balancer import (
    ElbApi,
    LoadBalancingError,
    own_tags,
    owned_service,
)
from swarmctl.reading.names import dns_label

_TARGETS_A_CALL = 100
# Registering one that is draining makes it a target again.
_DRAINING, _NOT_REGISTERED = "draining", "Target.NotRegistered"
_PARALLEL = 4


@dataclass(frozen=True, slots=True, order=True)
class TargetPort:
    """A target: an instance and a port of it."""

    instance: str
    port: int

    def __str__(self) -> str:
        return f"{self.instance}:{self.port}"


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group that discovery made.

    Attributes:
        service: of its tag.
        settings: fields of ModifyTargetGroup, and attributes (in small letters).
        targets: the registered ones, without those that drain.
        health: of each target, as AWS has it: initial, healthy, unhealthy, unused …
    """

    arn: str
    name: str
    service: str
    settings: Mapping[str, str]
    targets: frozenset[TargetPort]
    health: Mapping[TargetPort, str]


def group_prefix(cluster: str) -> str:
    """With which the names of a cluster's target groups begin."""
    return f"{dns_label(cluster)[:8].strip('-')}-"


def find_groups(
    api: ElbApi, cluster: str, names: Iterable[str] | None = None
) -> dict[str, TargetGroup]:
    """The target groups that discovery made for a cluster, by name.

    Args:
        api: of the region.
        cluster: of the tag; the tags of groups whose names begin otherwise are not asked for.
        names: only these; ``None`` for all.
    """
    prefix = group_prefix(cluster)
    found = [g for g in _listed(api, names) if g["TargetGroupName"].startswith(prefix)]
    tags = api.tags(group["TargetGroupArn"] for group in found)
    ours = [
        (raw, service)
        for raw in found
        if (service := owned_service(tags.get(raw["TargetGroupArn"], {}), cluster)) is not None
    ]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        groups = pool.map(lambda each: _group(api, *each), ours)
        return {group.name: group for group in groups}


def _listed(api: ElbApi, names: Iterable[str] | None) -> list[dict[str, Any]]:
    if names is None:
        return api.pages("describe_target_groups", "TargetGroups")
    found = []
    for name in names:  # one at a time: a missing one is an error for all
        try:
            found += api.call("describe_target_groups", Names=[name])["TargetGroups"]
        except LoadBalancingError as fault:
            if fault.code != "TargetGroupNotFound":
                raise
    return found


def _group(api: ElbApi, raw: Mapping[str, Any], service: str) -> TargetGroup:
    arn = raw["TargetGroupArn"]
    settings = {key: str(raw[key]) for key in raw if key.startswith(("Health", "Unhealth"))}
    settings["Matcher"] = str(raw.get("Matcher", {}).get("HttpCode", ""))
    answer = api.call("describe_target_group_attributes", TargetGroupArn=arn)
    settings |= {each["Key"]: str(each["Value"]) for each in answer["Attributes"]}
    health = target_health(api, arn)
    return TargetGroup(arn, raw["TargetGroupName"], service, settings, frozenset(health), health)


def target_health(api: ElbApi, arn: str) -> dict[TargetPort, str]:
    """The state of each registered target of a group; those that drain are not among them."""
    answer = api.call("describe_target_health", TargetGroupArn=arn)
    return {
        TargetPort(each["Target"]["Id"], int(each["Target"]["Port"])): state["State"]
        for each in answer["TargetHealthDescriptions"]
        if (state := each["TargetHealth"])["State"] != _DRAINING
        and state.get("Reason") != _NOT_REGISTERED
    }


def create_group(
    api: ElbApi,
    cluster: str,
    service: str,
    name: str,
    vpc: str,
    port: int,
    settings: Mapping[str, str],
) -> tuple[str, dict[str, str]]:
    """Make a target group, or take the one of that name if it is ours already.

    Args:
        api: of the region.
        cluster: for the tag.
        service: for the tag.
        name: at most 32 letters, digits and hyphens.
        vpc: of the load balancer.
        port: of a target that names none; all of ours name theirs.
        settings: see :class:`TargetGroup`.

    Returns:
        Its ARN, and the settings that it has already.

    Raises:
        LoadBalancingError: a call failed, or the name is taken.
    """
    try:
        made = api.call(
            "create_target_group",
            Name=name,
            Protocol="HTTP",
            Port=port,
            VpcId=vpc,
            TargetType="instance",
            Tags=own_tags(cluster, service),
            **_fields(settings),
        )["TargetGroups"][0]
        return str(made["TargetGroupArn"]), {k: v for k, v in settings.items() if k[0].isupper()}
    except LoadBalancingError as fault:
        if fault.code != "DuplicateTargetGroupName":
            raise
        made = api.call("describe_target_groups", Names=[name])["TargetGroups"][0]
    arn = str(made["TargetGroupArn"])
    if owned_service(api.tags([arn]).get(arn, {}), cluster) != service:
        raise LoadBalancingError(
            f"there is a target group {name} that is not the service's",
            "delete it, or give it another name",
        )
    return arn, {}


def configure_group(api: ElbApi, arn: str, settings: Mapping[str, str]) -> None:
    """Change these settings of a target group; see :class:`TargetGroup`."""
    if fields := _fields(settings):
        api.call("modify_target_group", TargetGroupArn=arn, **fields)
    attributes = [{"Key": k, "Value": v} for k, v in settings.items() if not k[0].isupper()]
    if attributes:
        api.call("modify_target_group_attributes", TargetGroupArn=arn, Attributes=attributes)


def _fields(settings: Mapping[str, str]) -> dict[str, Any]:
    """Those settings that are fields of a target group, as the API has them."""
    fields: dict[str, Any] = {
        key: int(text) if text.isdecimal() and key != "Matcher" else text
        for key, text in settings.items()
        if key[0].isupper()
    }
    if "Matcher" in fields:
        fields["Matcher"] = {"HttpCode": fields["Matcher"]}
    return fields


def register_targets(api: ElbApi, arn: str, targets: Iterable[TargetPort]) -> None:
    """Register targets, many in one call; one that AWS refuses does not stop the others."""
    _in_batches(api, "register_targets", arn, sorted(targets))


def deregister_targets(api: ElbApi, arn: str, targets: Iterable[TargetPort]) -> None:
    """Deregister targets, by instance and port; to AWS an unknown one is a success."""
    _in_batches(api, "deregister_targets", arn, sorted(targets))


def delete_group(api: ElbApi, arn: str) -> None:
    """Remove a target group that no rule uses; one that does not exist is a success."""
    try:
        api.call("delete_target_group", TargetGroupArn=arn)
    except LoadBalancingError as fault:
        if fault.code != "TargetGroupNotFound":
            raise


def _in_batches(api: ElbApi, operation: str, arn: str, targets: Sequence[TargetPort]) -> None:
    for start in range(0, len(targets), _TARGETS_A_CALL):
        some = targets[start : start + _TARGETS_A_CALL]
        try:
            _change(api, operation, arn, some)
        except LoadBalancingError as fault:
            if fault.code != "InvalidTarget" or len(some) == 1:
                raise
            _one_by_one(api, operation, arn, some)


def _one_by_one(api: ElbApi, operation: str, arn: str, targets: Sequence[TargetPort]) -> None:
    """A refused target refuses its whole batch; the errors are raised at the end."""
    errors = []
    for target in targets:
        try:
            _change(api, operation, arn, [target])
        except LoadBalancingError as fault:
            if fault.code != "InvalidTarget":
                raise
            errors.append(f"{target}: {fault.message}")
    if errors:
        raise LoadBalancingError("; ".join(errors), code="InvalidTarget")


def _change(api: ElbApi, operation: str, arn: str, targets: Sequence[TargetPort]) -> None:
    listed = [{"Id": target.instance, "Port": target.port} for target in targets]
    api.call(operation, TargetGroupArn=arn, Targets=listed)
