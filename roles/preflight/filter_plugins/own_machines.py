"""Machines of an inventory of your own: what is recorded of them, and what they must have."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

# As many as tolerate more failures than one less: see managers in meta/argument_specs.yml.
MANAGERS = (1, 3, 5, 7)


def machine_records(
    names: Sequence[str], hostvars: Mapping[str, Any], managers: Collection[str]
) -> list[dict[str, Any]]:
    """What ``swarmctl`` must know of each machine; ``swarmctl/own_machines.py`` reads it.

    Args:
        names: the cluster's nodes.
        hostvars: their variables.
        managers: those of them that are managers.
    """
    return [
        {
            "name": str(name),
            "id": str(known["node_machine"]) if "ansible_host" in known else "",
            "role": "manager" if name in managers else "worker",
            "address": str(known.get("ansible_host") or ""),
            "private_ip": str(known["node_private_address"]) if "ansible_host" in known else "",
            "port": known.get("ansible_port") or 22,
            "user": str(known.get("ansible_user") or ""),
            "key": str(known.get("ansible_ssh_private_key_file") or ""),
            "az": str(known["node_zone"]),
            "jump": str(known.get("ssh_jump") or ""),
        }
        for name in names
        for known in (hostvars[name],)
    ]


def own_machine_errors(
    settings: Mapping[str, Any], machines: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What is wrong with an inventory of your own; each message says what is allowed.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
        machines: :func:`machine_records` of the cluster's nodes.
    """
    return [*_groups(machines), *_hosts(machines), *_pool(settings, machines),
            *_labels(settings, machines), *_needs_aws(settings)]  # fmt: skip


def _groups(machines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    managers = [m["name"] for m in machines if m["role"] == "manager"]
    if len(managers) not in MANAGERS:
        yield (
            f"the inventory's group managers has {len(managers)} nodes of this cluster; allowed: "
            "1, 3, 5 or 7"
        )


def _hosts(machines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen, ids = dict[str, str](), dict[str, str]()
    for machine in machines:
        name, address = machine["name"], machine["private_ip"]
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", name):
            yield f"the inventory has a node {name!r}; allowed: a host name, which it will get"
        if not machine["address"]:
            yield f"{name} has no ansible_host; allowed: the address that SSH goes to"
            continue
        if machine["id"] in ids:
            yield (
                f"{name} and {ids[machine['id']]} have the node_machine {machine['id']!r}, under "
                "which their host keys are recorded; allowed: a name each"
            )
        ids[machine["id"]] = name
        if not re.fullmatch(r"\d{1,5}", str(machine["port"])):
            yield f"ansible_port of {name} is {machine['port']!r}; allowed: a number"
        if not machine["user"]:
            yield f"{name} has no ansible_user; allowed: a user who may use sudo without a password"
        try:
            IPv4Address(address)
        except ValueError:
            yield (
                f"node_private_address of {name} is {address!r}; allowed: the IPv4 address under "
                "which the other nodes reach it, such as 10.0.0.11"
            )
        if address in seen:
            yield f"{name} and {seen[address]} have the address {address}; allowed: one each"
        seen[address] = name


def _pool(settings: Mapping[str, Any], machines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    try:
        pool = IPv4Network(str(settings["swarm_address_pool"]))
        inside = [m["name"] for m in machines if IPv4Address(m["private_ip"]) in pool]
    except ValueError as fault:
        if not any(str(m["private_ip"]) in str(fault) for m in machines):  # else reported above
            yield f"swarm_address_pool: {fault}; allowed: an IPv4 block such as 10.224.0.0/12"
        return
    if inside:
        yield (
            f"swarm_address_pool {pool} holds the addresses of {', '.join(inside)}; allowed: a "
            "block that nothing else uses"
        )


def _labels(settings: Mapping[str, Any], machines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [m["name"] for m in machines]
    known = {"managers", "workers", *names, *(name.rsplit("_", 1)[-1] for name in names)}
    for key in settings["swarm_node_labels"]:
        # The default names a node that an inventory of one's own need not have.
        if key not in known and not re.fullmatch(r"wkr\d+", key):
            yield f"swarm_node_labels names {key!r}; allowed: {', '.join(sorted(known))}"


def _needs_aws(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("load_balancer_enabled", "discovery_enabled", "registry_refresh_enabled"):
        if boolean(settings[name]):
            yield f"{name} needs AWS; allowed with provision=none: false"
    if str(settings["registry"]) == "ecr":
        yield (
            "registry is ecr, which needs AWS; allowed with provision=none: a registry's name "
            "(registry.example:5000/team), or empty for none"
        )
    if boolean(settings["swarm_autolock"]) and settings["swarm_unlock_key_store"] == "ssm":
        yield "swarm_unlock_key_store is ssm, which needs AWS; allowed with provision=none: file"
    for stack in settings["stacks"]:
        if stack.get("logging") == "awslogs":
            yield (
                f"stacks: {stack['name']} has logging awslogs, which needs AWS; allowed with "
                "provision=none: json-file"
            )


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"machine_records": machine_records, "own_machine_errors": own_machine_errors}
