"""Checks of the settings in group_vars: types and choices, names, and rules between options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
_STACKS = Path(__file__).parents[3] / "stacks"


def type_errors(settings: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Settings of the wrong type, outside the choices, or unknown.

    Ansible's own validation of a role's arguments prints the whole specification with each error.

    Args:
        settings: the settings by name.
        options: their specification, as in ``meta/argument_specs.yml``.
    """
    validator = ArgumentSpecValidator(dict(options))
    return list(validator.validate(_plain(settings)).error_messages)


def _plain(value: Any) -> Any:
    """Without what renders templates when it is read.

    The validator copies the settings; it would copy all variables of the run with each of these.
    """
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def setting_errors(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings; each message names the variable and what is allowed.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
    """
    rules = [_numbers, _discovery, _logs, _engine, _stacks, _images]
    if settings["provision"] == "ec2":
        rules += [_names, _zones, _load_balancer, _labels]
    return [
        *cluster_name_errors(settings["cluster_name"]),
        *(error for rule in rules for error in rule(settings)),
    ]


def cluster_name_errors(name: Any) -> list[str]:
    """Why this is no name for a cluster; it becomes a directory, a group and a tag filter."""
    if re.fullmatch(r"[a-z][a-z0-9_]{0,30}", str(name)):
        return []
    return [
        f"cluster_name is {name!r}; allowed: at most 31 lower-case letters, digits and _, "
        "starting with a letter"
    ]


def aws_credentials_errors(_region: str) -> list[str]:
    """Why AWS cannot be called, according to botocore; AWS itself is not called."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    try:
        if get_session().get_credentials() is not None:
            return []
        reason = "none found"
    except BotoCoreError as error:
        reason = str(error)
    return [
        f"AWS credentials: {reason}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        'AWS_SECRET_ACCESS_KEY; for the lab: eval "$(swarmctl lab env)"'
    ]


def _names(s: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", str(s["instance_type"])):
        yield f"instance_type is {s['instance_type']!r}; allowed: an EC2 type such as t3.small"
    for variable, kind in (("vpc_id", "vpc"), ("ami_id", "ami")):
        if s[variable] and not re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", str(s[variable])):
            yield f"{variable} is {s[variable]!r}; allowed: empty, or an id: {kind}-0123abcd"
    if s["ami_family"] not in s["ami_families"]:
        yield f"ami_family is {s['ami_family']!r}; allowed: {', '.join(s['ami_families'])}"


def _numbers(s: Mapping[str, Any]) -> Iterator[str]:
    if int(s["workers"]) < 0:
        yield f"workers is {s['workers']}; allowed: 0 or more"
    if not 1 <= int(s["swarm_dispatcher_heartbeat"]) <= 60:
        yield (
            f"swarm_dispatcher_heartbeat is {s['swarm_dispatcher_heartbeat']}; "
            "allowed: whole seconds from 1 to 60"
        )


def _zones(s: Mapping[str, Any]) -> Iterator[str]:
    zones, region = s["availability_zones"], s["aws_region"]
    if not zones or len(set(zones)) != len(zones):
        yield f"availability_zones is {zones}; allowed: one or more zones, each once"
    for zone in zones:
        if not str(zone).startswith(region):
            yield (
                f"availability_zones holds {zone!r}, which is not in region {region!r}; allowed: "
                f"zones of that region, such as {region}a (AWS_REGION in the environment wins)"
            )


def _load_balancer(s: Mapping[str, Any]) -> Iterator[str]:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html"""
    if not boolean(s["load_balancer_enabled"]):
        return
    if len(s["availability_zones"]) < 2:
        yield (
            f"availability_zones is {s['availability_zones']}; allowed with load_balancer_enabled: "
            "two or more"
        )
    if str(s["cluster_name"]).endswith("_"):
        yield (
            f"cluster_name is {s['cluster_name']!r}; allowed with load_balancer_enabled: a name "
            "that does not end with _, because a load balancer's does not end with -"
        )
    if not s["load_balancer_cidrs"]:
        yield "load_balancer_cidrs is empty; allowed: one or more blocks that may reach it"
    arn = str(s["load_balancer_certificate_arn"])
    if arn and not re.fullmatch(r"arn:aws[a-z-]*:(acm|iam):\S+", arn):
        yield f"load_balancer_certificate_arn is {arn!r}; allowed: empty, or arn:aws:acm:…"


def _discovery(s: Mapping[str, Any]) -> Iterator[str]:
    wanting = [n for n in ("discovery_enabled", "registry_refresh_enabled") if boolean(s[n])]
    if wanting and not (s["discovery_image"] or s["discovery_registry"]):
        yield (
            f"discovery_image is empty; allowed with {wanting[0]}: an image that the managers "
            "can pull (stacks/discovery/image/build.sh builds it), or discovery_registry, to which "
            "a built one is pushed"
        )


def _logs(s: Mapping[str, Any]) -> Iterator[str]:
    """The same list as in swarmctl/cloud/logs.py."""
    if int(s["logs_retention"]) not in RETENTIONS:
        allowed = ", ".join(map(str, RETENTIONS))
        yield f"logs_retention is {s['logs_retention']}; allowed, in days: {allowed}"


def _engine(s: Mapping[str, Any]) -> Iterator[str]:
    options = s["docker_engine_daemon_options"]
    if options.get("live-restore"):
        yield (
            "docker_engine_daemon_options sets live-restore; allowed: leave it out, Swarm mode "
            "does not work with it"
        )
    if any(str(host).startswith("tcp:") for host in options.get("hosts", ())):
        yield (
            "docker_engine_daemon_options opens the Engine API on TCP; allowed: the socket only "
            "(swarmctl reaches it over SSH)"
        )


def _labels(s: Mapping[str, Any]) -> Iterator[str]:
    allowed = rf"(?:{re.escape(str(s['cluster_name']))}_)?(?:mgr|wkr)[1-9]\d*|managers|workers"
    for key in s["swarm_node_labels"]:
        if not re.fullmatch(allowed, key):
            yield (
                f"swarm_node_labels names {key!r}; allowed: a node "
                f"(wkr1, {s['cluster_name']}_wkr1), managers or workers"
            )


def _stacks(s: Mapping[str, Any]) -> Iterator[str]:
    names = [stack["name"] for stack in s["stacks"]]
    for name in names:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", str(name)):
            yield f"stacks: name is {name!r}; allowed: letters, digits, _ and -"
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"stacks names {name!r} twice; allowed: each name once"


def _images(s: Mapping[str, Any]) -> Iterator[str]:
    registry = str(s["registry"])
    if registry == "ecr":
        return
    if registry and not re.fullmatch(r"[\w.-]+(:\d+)?(/[a-z0-9._/-]+)?", registry, re.ASCII):
        yield (
            f"registry is {registry!r}; allowed: ecr, a registry's name "
            "(registry.example:5000/team), or empty for none"
        )
    with_images = [
        s["name"] for s in s["stacks"] if [*_STACKS.glob(f"{s['name']}/images/*/Dockerfile")]
    ]
    if not registry and with_images:
        yield (
            f"registry is empty, and {', '.join(with_images)} has images of its own "
            "(stacks/NAME/images); allowed: ecr, or a registry's name (registry.example:5000/team)"
        )


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "type_errors": type_errors,
            "setting_errors": setting_errors,
            "cluster_name_errors": cluster_name_errors,
            "aws_credentials_errors": aws_credentials_errors,
        }
