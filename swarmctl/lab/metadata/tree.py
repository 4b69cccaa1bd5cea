"""The pages of the metadata service. Pure.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from swarmctl.lab.access.keys import Key
from swarmctl.lab.metadata.facts import Facts

# Leaves are texts, or functions where a page is made only when it is asked for.
_Tree = Mapping[str, Any]


def page(facts: Facts, path: str, key: Callable[[], Key]) -> str | None:
    """A page, or a list of what is below it; ``None`` if there is none.

    Args:
        facts: of the instance that asks.
        path: as in the URL, for example ``/latest/meta-data/instance-id``.
        key: gives the key of the instance's role.
    """
    version, *rest = [part for part in path.split("/") if part] or [""]
    if not version:
        return "latest"
    if version != "latest" and not re.fullmatch(r"\d{4}-\d\d-\d\d", version):
        return None
    here: Any = _latest(facts, key)
    for part in rest:
        if not isinstance(here, Mapping) or part not in here:
            return None
        here = here[part]
    if isinstance(here, Mapping):
        return "\n".join(_listed(name, below) for name, below in here.items())
    return str(here() if callable(here) else here)


def _listed(name: str, below: Any) -> str:
    return f"{name}/" if isinstance(below, Mapping) else name


def _latest(facts: Facts, key: Callable[[], Key]) -> _Tree:
    tree: dict[str, Any] = {
        "dynamic": {"instance-identity": {"document": _document(facts)}},
        "meta-data": _meta_data(facts, key),
    }
    if facts.user_data:
        tree["user-data"] = facts.user_data.decode(errors="replace")
    return tree


def _meta_data(facts: Facts, key: Callable[[], Key]) -> _Tree:
    name = f"ip-{facts.ip.replace('.', '-')}.{facts.region}.compute.internal"
    interface = {
        "device-number": "0",
        "interface-id": facts.interface,
        "local-hostname": name,
        "local-ipv4s": facts.ip,
        "mac": facts.mac,
        "owner-id": facts.account,
        "security-group-ids": "\n".join(group for group, _ in facts.groups),
        "security-groups": "\n".join(group for _, group in facts.groups),
        "subnet-id": facts.subnet,
        "subnet-ipv4-cidr-block": facts.subnet_cidr,
        "vpc-id": facts.vpc,
        "vpc-ipv4-cidr-block": facts.vpc_cidr,
    }
    tree: dict[str, Any] = {
        "ami-id": facts.image,
        "ami-launch-index": "0",
        "hostname": name,
        "instance-id": facts.id,
        "instance-life-cycle": "on-demand",
        "instance-type": facts.type,
        "local-hostname": name,
        "local-ipv4": facts.ip,
        "mac": facts.mac,
        "network": {"interfaces": {"macs": {facts.mac: interface}}},
        "placement": {"availability-zone": facts.zone, "region": facts.region},
        "reservation-id": facts.reservation,
        "security-groups": interface["security-groups"],
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if facts.profile:
        info = {
            "Code": "Success",
            "LastUpdated": _moment(facts.launched),
            "InstanceProfileArn": facts.profile,
            "InstanceProfileId": facts.profile_id,
        }
        tree["iam"] = {"info": json.dumps(info, indent=2)}
    if facts.role:
        tree["iam"]["security-credentials"] = {facts.role: lambda: _credentials(key())}
    if facts.shows_tags:
        tree["tags"] = {"instance": dict(facts.tags)}
    return tree


def _credentials(key: Key) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html"""
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _moment(datetime.fromtimestamp(key.issued, UTC)),
            "Type": "AWS-HMAC",
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "Token": key.token,
            "Expiration": _moment(datetime.fromtimestamp(key.expires, UTC)),
        },
        indent=2,
    )


def _document(facts: Facts) -> str:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html"""
    return json.dumps(
        {
            "accountId": facts.account,
            "architecture": "x86_64",
            "availabilityZone": facts.zone,
            "imageId": facts.image,
            "instanceId": facts.id,
            "instanceType": facts.type,
            "pendingTime": _moment(facts.launched),
            "privateIp": facts.ip,
            "region": facts.region,
            "version": "2017-09-30",
        },
        indent=2,
    )


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
