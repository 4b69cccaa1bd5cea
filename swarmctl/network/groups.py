"""Compare a cluster's security groups in EC2 with those the playbooks would set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from swarmctl.cloud.rules import (
    CONTROL_PLANE,
    DATA_PLANE,
    EVERYONE,
    LOAD_BALANCER,
    MANAGER,
    MANAGERS,
    NODES,
    SSH,
    WORKER,
    Rule,
    group_name,
    openings_of,
    wanted_rules,
)
from swarmctl.network.finding import Finding, Severity

if TYPE_CHECKING:
    from swarmctl.cloud.instances import Instance
    from swarmctl.cloud.security_groups import SecurityGroup, SecurityGroups

PROVISION = "ansible-playbook playbooks/provision.yml --tags security_groups"

# Open to nobody but nodes and operators: SSH, the Engine API, and Swarm's own ports.
_PRIVATE = (SSH, ("tcp", 2375), ("tcp", 2376), *((r.protocol, r.low) for r in DATA_PLANE),
            (CONTROL_PLANE.protocol, CONTROL_PLANE.low))  # fmt: skip


def compare_groups(
    cluster: str, instances: Sequence[Instance], groups: SecurityGroups
) -> Iterator[Finding]:
    """What differs from the playbooks' rules.

    Args:
        cluster: its name.
        instances: its instances.
        groups: its security groups, and others that its instances have, by id.
    """
    own = {
        role: group
        for role in (MANAGER, WORKER, LOAD_BALANCER)
        for group in groups.values()
        if group.name == group_name(cluster, role)
    }
    sources = {  # a group of several names is called by the last one
        MANAGERS: {group.id for role, group in own.items() if role == MANAGER},
        NODES: {group.id for role, group in own.items() if role != LOAD_BALANCER},
        LOAD_BALANCER: {group.id for role, group in own.items() if role == LOAD_BALANCER},
    }
    for role in (MANAGER, WORKER, LOAD_BALANCER):
        members = [instance for instance in instances if instance.role == role]
        if role in own:
            yield from _differences(role, own[role], sources)
        elif members or (role == LOAD_BALANCER and _has_load_balancer(own.values())):
            yield Finding(
                group_name(cluster, role), "this security group does not exist", PROVISION
            )
        yield from _memberships(own.get(role), members)
    ours = {group.id for group in own.values()}
    for group in (group for group in groups.values() if group.id not in ours):
        has = ", ".join(i.name for i in instances if group.id in i.groups)
        for rule in filter(_exposes, group.rules):
            what = f"opens {rule} on {has}, and is not of the playbooks"
            remove = f"remove the rule from {group.id}, or the group from these instances"
            yield Finding(group.name, what, remove)


def _has_load_balancer(groups: Iterable[SecurityGroup]) -> bool:
    """Whether the nodes' groups say that the cluster has a load balancer."""
    found = (openings_of(group.tags) for group in groups)
    return any(openings.load_balancer_cidrs for openings in found if openings)


def _memberships(group: SecurityGroup | None, members: Sequence[Instance]) -> Iterator[Finding]:
    for instance in members:
        if group is not None and group.id not in instance.groups:
            groups = " ".join([*instance.groups, group.id])
            command = (
                f"aws ec2 modify-instance-attribute --instance-id {instance.id} --groups {groups}"
            )
            yield Finding(instance.name, f"is not in the security group {group.name}", command)


def _differences(
    role: str, group: SecurityGroup, sources: Mapping[str, set[str]]
) -> Iterator[Finding]:
    openings = openings_of(group.tags)
    if openings is None:
        what = "was made by an older version: only Swarm's own rules are compared"
        yield Finding(group.name, what, PROVISION, Severity.WARNING)
    rules = (
        [*DATA_PLANE, *([CONTROL_PLANE] if role == MANAGER else [])]
        if openings is None
        else wanted_rules(role, openings)
    )
    # A rule for all nodes names both groups.
    wanted = {
        Rule(r.protocol, r.low, r.high, source, r.use)
        for r in rules
        for source in sources.get(r.source, (r.source,))
    }
    there = set(group.rules)
    for missing in _shown(wanted - there, sources):
        yield Finding(group.name, f"closed: {missing}", PROVISION)
    for extra in sorted(there - wanted):
        if _exposes(extra):
            yield Finding(group.name, f"open, and should not be: {extra}", PROVISION)
        elif openings is not None:
            what = f"open, and not of the playbooks: {extra}"
            yield Finding(group.name, what, PROVISION, Severity.WARNING)


def _shown(rules: set[Rule], sources: Mapping[str, set[str]]) -> list[str]:
    """The rules in words, those for both groups once."""
    names = {id_: name for name, ids in sources.items() for id_ in ids}
    named = {Rule(r.protocol, r.low, r.high, names.get(r.source, r.source), r.use) for r in rules}
    return [str(rule) for rule in sorted(named)]


def _exposes(rule: Rule) -> bool:
    """Whether it opens to an address block what only nodes need, or SSH to everyone."""
    if not rule.is_block:
        return False
    opened = [(protocol, port) for protocol, port in _PRIVATE if rule.covers(protocol, port)]
    return bool(opened) and (opened != [SSH] or rule.source in EVERYONE)
