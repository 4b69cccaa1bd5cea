"""Security groups as nftables rules. Pure.

The rules apply on the machine's network card, after connection tracking and before Docker's address
translation (priority mangle), so one rule set covers the host, ports published by containers and
VXLAN. As on EC2, groups are stateful: answers to connections that the machine opened are always
accepted. One point is stricter than EC2: closing a port also cuts open connections, where EC2 keeps
tracked ones.
https://docs.aws.amazon.com/vpc/latest/userguide/security-group-connection-tracking.html
Egress is not restricted.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from swarmctl.lab.api import Ec2Instance, Rule, View
from swarmctl.lab.balancer.model import LoadBalancer

# The operator's address for the security groups. On AWS an operator connects from a public address;
# in the lab from the VPC's gateway, which is treated as this address (RFC 5737).
OPERATOR = "203.0.113.7"

_GONE = {"terminated", "shutting-down"}


def compile_rules(instance: Ec2Instance | LoadBalancer, view: View) -> str:
    """The nftables script that enforces security groups on the machine of their member."""
    gateway = gateway_of(view.vpcs[instance.vpc])
    rules = [rule for group in instance.groups for rule in view.rules.get(group, ())]
    network = [line for rule in rules if (line := _network_rule(rule, view))]
    operator = [_match(rule) for rule in rules if _covers_operator(rule)]
    return "\n".join(
        [
            "table inet lab_security_groups",
            "delete table inet lab_security_groups",
            "table inet lab_security_groups {",
            "  chain from_operator {",
            *(f"    {line} accept" for line in _unique(operator)),
            "    drop",
            "  }",
            "  chain ingress {",
            "    type filter hook prerouting priority mangle; policy accept;",
            '    iifname != "eth0" accept',
            "    ct direction reply accept",
            "    ct state related accept",
            f"    ip saddr {gateway} goto from_operator",
            *(f"    {line} accept" for line in _unique(network)),
            "    drop",
            "  }",
            "}",
            "",
        ]
    )


def gateway_of(cidr: str) -> str:
    """The address of a VPC's router: the first of its network."""
    return str(ip_network(cidr)[1])


def _network_rule(rule: Rule, view: View) -> str:
    if rule.group:
        instances = [i for i in view.instances if i.state not in _GONE]
        members = [i.ip for i in instances if rule.group in i.groups]
        members += [b.address for b in view.balancers if rule.group in b.groups]
        sources = ", ".join(sorted(members, key=ip_address))
    else:
        sources = rule.cidr
    return f"ip saddr {{ {sources} }} {_match(rule)}".rstrip() if sources else ""


def _covers_operator(rule: Rule) -> bool:
    return bool(rule.cidr) and ip_address(OPERATOR) in ip_network(rule.cidr)


def _match(rule: Rule) -> str:
    if rule.protocol == "all":
        return ""
    if rule.protocol in ("tcp", "udp"):
        return f"{rule.protocol} dport {rule.from_port}-{rule.to_port}"
    if rule.protocol == "icmp" and rule.from_port >= 0:
        return f"icmp type {rule.from_port}"
    return f"meta l4proto {rule.protocol}"


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
