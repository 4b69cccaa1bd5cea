"""Rules for what single nodes get, for existing subnets, and for nodes without a public address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_KEYS = ("ami_id", "iam_profile", "instance_type", "user_data", "volumes")


def machine_errors(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with them; each message names the variable and what is allowed.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
    """
    return [*_overrides(settings), *_subnet_ids(settings), *_private(settings)]


def _overrides(s: Mapping[str, Any]) -> Iterator[str]:
    names = rf"(?:{re.escape(str(s['cluster_name']))}_)?(?:mgr|wkr)[1-9]\d*|managers|workers"
    for key, override in s["node_overrides"].items():
        if not re.fullmatch(names, str(key)):
            yield (
                f"node_overrides names {key!r}; allowed: a node "
                f"(wkr1, {s['cluster_name']}_wkr1), managers or workers"
            )
        if not isinstance(override, Mapping):
            yield f"node_overrides: {key} is {override!r}; allowed: a mapping of {', '.join(_KEYS)}"
            continue
        for unknown in sorted(set(override) - set(_KEYS)):
            yield f"node_overrides: {key} has {unknown!r}; allowed: {', '.join(_KEYS)}"
        yield from _override(str(key), override)


def _override(key: str, override: Mapping[str, Any]) -> Iterator[str]:
    kind = override.get("instance_type", "t3.small")
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", str(kind)):
        yield f"node_overrides: instance_type of {key} is {kind!r}; allowed: such as t3.small"
    ami = override.get("ami_id", "ami-01234567")
    if not re.fullmatch(r"ami-[0-9a-f]{8,17}", str(ami)):
        yield f"node_overrides: ami_id of {key} is {ami!r}; allowed: an id: ami-0123abcd"
    for volume in override.get("volumes", ()):
        good = (
            isinstance(volume, Mapping)
            and {"device", "size"} <= set(volume) <= {"device", "size", "type"}
            and re.fullmatch(r"/dev/[a-z]+\d*", str(volume["device"]))
            and re.fullmatch(r"[1-9]\d{0,4}", str(volume["size"]))
        )
        if not good:
            yield (
                f"node_overrides: a volume of {key} is {volume!r}; allowed: "
                "{device: /dev/sdf, size: GiB, type: gp3}"
            )


def _subnet_ids(s: Mapping[str, Any]) -> Iterator[str]:
    zones = set(s["availability_zones"])
    for variable in ("subnet_ids", "private_subnet_ids"):
        ids = s[variable]
        if not ids:
            continue
        if set(ids) != zones:
            yield (
                f"{variable} has the zones {', '.join(sorted(ids))}; allowed: one id for each of "
                f"availability_zones, {', '.join(sorted(zones))}"
            )
        for id_ in ids.values():
            if not re.fullmatch(r"subnet-[0-9a-f]{8,17}", str(id_)):
                yield f"{variable} holds {id_!r}; allowed: ids such as subnet-0123abcd"
        if not s["vpc_id"]:
            yield f"{variable} is set and vpc_id is empty; allowed: the id of their VPC"


def _private(s: Mapping[str, Any]) -> Iterator[str]:
    if s["private_nodes"] == "all" and s["ssh_jump"] == "managers":
        yield (
            "ssh_jump is managers, and private_nodes is all: nothing leads to the managers; "
            "allowed: private_nodes=workers, or ssh_jump=user@bastion"
        )


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"machine_errors": machine_errors}
