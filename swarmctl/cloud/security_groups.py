"""Security groups as EC2 has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from swarmctl.cloud.rules import LOAD_BALANCER, Rule, group_name


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A group and its ingress rules; a rule's source may be the id of a group."""

    id: str
    name: str
    rules: tuple[Rule, ...]
    tags: Mapping[str, str]


SecurityGroups = dict[str, SecurityGroup]  # by id


def security_group(raw: Mapping[str, Any]) -> SecurityGroup:
    """A group as DescribeSecurityGroups lists it."""
    return SecurityGroup(
        id=raw["GroupId"],
        name=raw["GroupName"],
        rules=tuple(rule for entry in raw["IpPermissions"] for rule in _rules(entry)),
        tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", ())},
    )


def rules_of(cluster: str, attached: Iterable[str], groups: SecurityGroups) -> tuple[Rule, ...]:
    """The rules of the groups that a node has.

    Args:
        cluster: its name.
        attached: the ids of these groups.
        groups: them, and the cluster's. Its load balancer's becomes the source `LOAD_BALANCER`.
    """
    balancer = {g.id for g in groups.values() if g.name == group_name(cluster, LOAD_BALANCER)}
    return tuple(
        replace(rule, source=LOAD_BALANCER) if rule.source in balancer else rule
        for group in attached
        for rule in groups[group].rules
    )


def _rules(entry: Mapping[str, Any]) -> Iterator[Rule]:
    protocol = {"-1": "all"}.get(entry["IpProtocol"], entry["IpProtocol"])
    has_ports = protocol in ("tcp", "udp")
    low, high = (entry["FromPort"], entry["ToPort"]) if has_ports else (-1, -1)
    for kind, key in (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("UserIdGroupPairs", "GroupId"),
        ("PrefixListIds", "PrefixListId"),
    ):
        for source in entry.get(kind, ()):
            yield Rule(protocol, low, high, source[key], source.get("Description", ""))
