"""The wanted security groups, as the module ``amazon.aws.ec2_security_group`` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarmctl.cloud.rules import MANAGER, NODES, WORKER, Openings, Rule, group_name, wanted_rules


def security_groups(
    cluster: str, admin_cidr: str, published_ports: Sequence[Any], published_cidr: str
) -> list[dict[str, Any]]:
    """The groups of managers and workers: name, description, rules and tags.

    Args:
        cluster: its name.
        admin_cidr: the source of SSH connections.
        published_ports: numbers or ranges, with an optional protocol.
        published_cidr: the source of connections to these ports.
    """
    openings = Openings(str(admin_cidr), tuple(map(str, published_ports)), str(published_cidr))
    # The managers' group is set first; with group_desc the module creates the workers' group for
    # it, which saves two calls and a pause of 3 s.
    nodes = {
        "group_name": [group_name(cluster, role) for role in (MANAGER, WORKER)],
        "group_desc": "Swarm workers",
    }
    return [
        {
            "name": group_name(cluster, role),
            "description": f"Swarm {role}s",
            "rules": [_for_module(rule, nodes) for rule in wanted_rules(role, openings)],
            "tags": openings.tags(),
        }
        for role in (MANAGER, WORKER)
    ]


def _for_module(rule: Rule, nodes: dict[str, Any]) -> dict[str, Any]:
    source = nodes if rule.source == NODES else {"cidr_ip": rule.source}
    ports = {"from_port": rule.low, "to_port": rule.high}
    return {"proto": rule.protocol, **ports, "rule_desc": rule.use, **source}


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"security_groups": security_groups}
