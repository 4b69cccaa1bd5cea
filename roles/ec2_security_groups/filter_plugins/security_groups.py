"""The wanted security groups, as the module ``amazon.aws.ec2_security_group`` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarmctl.cloud.rules import (
    LOAD_BALANCER,
    MANAGER,
    MANAGERS,
    NODES,
    WORKER,
    Openings,
    Rule,
    group_name,
    wanted_rules,
)


def security_groups(
    cluster: str,
    admin_cidr: str,
    published_ports: Sequence[Any],
    published_cidr: str,
    load_balancer_cidrs: Sequence[str] = (),
    ssh_jump: str = "",
) -> list[dict[str, Any]]:
    """The groups of load balancer, managers and workers: name, description, rules and tags.

    Args:
        cluster: its name.
        admin_cidr: the source of SSH connections.
        published_ports: numbers or ranges, with an optional protocol.
        published_cidr: the source of connections to these ports.
        load_balancer_cidrs: sources of connections to the load balancer; none: no such group.
        ssh_jump: ``managers``: SSH to workers comes from them.
    """
    openings = Openings(
        str(admin_cidr),
        tuple(map(str, published_ports)),
        str(published_cidr),
        tuple(map(str, load_balancer_cidrs)),
        ssh_jump == "managers",
    )
    # The managers' group is set first; with group_desc the module creates the workers' group for
    # it, which saves two calls and a pause of 3 s.
    sources = {
        NODES: {
            "group_name": [group_name(cluster, role) for role in (MANAGER, WORKER)],
            "group_desc": _DESCRIPTIONS[WORKER],
        },
        MANAGERS: {
            "group_name": group_name(cluster, MANAGER),
            "group_desc": _DESCRIPTIONS[MANAGER],
        },
        LOAD_BALANCER: {
            "group_name": group_name(cluster, LOAD_BALANCER),
            "group_desc": _DESCRIPTIONS[LOAD_BALANCER],
        },
    }
    roles = (LOAD_BALANCER, MANAGER, WORKER) if load_balancer_cidrs else (MANAGER, WORKER)
    return [
        {
            "name": group_name(cluster, role),
            "description": _DESCRIPTIONS[role],
            "rules": [_for_module(rule, sources) for rule in wanted_rules(role, openings)],
            "tags": openings.tags(),
        }
        for role in roles
    ]


_DESCRIPTIONS = {
    LOAD_BALANCER: "Load balancer of a Swarm",
    MANAGER: "Swarm managers",
    WORKER: "Swarm workers",
}


def _for_module(rule: Rule, sources: dict[str, dict[str, Any]]) -> dict[str, Any]:
    source = sources.get(rule.source, {"cidr_ip": rule.source})
    ports = {"from_port": rule.low, "to_port": rule.high}
    return {"proto": rule.protocol, **ports, "rule_desc": rule.use, **source}


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"security_groups": security_groups}
