"""Whether the security groups let this machine, or anyone, reach a published port."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from swarmctl.cloud.rules import DYNAMIC_PORTS, LOAD_BALANCER, Rule, is_open_to_ssh_clients
from swarmctl.swarm.model import Service, Swarm


class Access(Enum):
    """Who may reach a port of a node."""

    CLOSED = "nobody may reach it"
    BALANCED = "the cluster's load balancer may reach it, and no address block"
    OPEN = "this machine may reach it"
    UNKNOWN = "some addresses may reach it, or the rules are not known"


# The access to a port (protocol, number) of a node.
AccessTo = Callable[[str, str, int], Access]


def no_rules(node: str, protocol: str, port: int) -> Access:
    """The access when the rules are not known, for example with ``--host``."""
    del node, protocol, port
    return Access.UNKNOWN


def access_by(rules: Mapping[str, Sequence[Rule]]) -> AccessTo:
    """The access by the rules of each node; this machine is known to be one that may use SSH.

    Args:
        rules: those whose source is the cluster's load balancer have :data:`LOAD_BALANCER` there.
    """

    def access(node: str, protocol: str, port: int) -> Access:
        if node not in rules:
            return Access.UNKNOWN
        there = [rule for rule in rules[node] if rule.covers(protocol, port)]
        if not there:
            return Access.CLOSED
        if any(rule.is_block for rule in there):
            ours = is_open_to_ssh_clients(rules[node], protocol, port)
            return Access.OPEN if ours else Access.UNKNOWN
        # Another security group may be anyone's: a bastion's, or that of the nodes.
        balanced = any(rule.source == LOAD_BALANCER for rule in there)
        return Access.BALANCED if balanced else Access.UNKNOWN

    return access


def balanced_services(swarm: Swarm, access: AccessTo) -> tuple[str, ...]:
    """The published services that only a load balancer may reach, at each of their places."""
    return tuple(
        service.name
        for service in swarm.services
        if (places := _places(swarm, service))
        and all(access(node, "tcp", port) is Access.BALANCED for node, port in places)
    )


def _places(swarm: Swarm, service: Service) -> set[tuple[str, int]]:
    """Nodes and TCP ports; the managers may have forgotten a dynamic one: any of the range then."""
    names = {node.id: node.hostname for node in swarm.nodes if node.live}
    tcp = [port for port in service.ports if port.protocol == "tcp"]
    mesh = {p.published for p in tcp if p.mode == "ingress" and p.published}
    found = {(name, number) for name in names.values() for number in mesh}
    if any(port.mode == "host" for port in tcp):
        for task in swarm.serving(service):
            numbers = [p.published for p in task.ports if p.mode == "host" and p.protocol == "tcp"]
            if name := names.get(task.node_id):
                found |= {(name, number or DYNAMIC_PORTS[0]) for number in numbers or [0]}
    return found


def closed_port(number: int) -> tuple[str, str]:
    """What is said of a published TCP port that the security groups close, and the remedy."""
    low, high = DYNAMIC_PORTS
    opening = f"{low}-{high}" if low <= number <= high else f"{number}"
    return (
        f"the security groups close the published port {number}/tcp",
        f"add {opening} to published_ports in inventory/group_vars/all.yml, then run "
        "ansible-playbook playbooks/provision.yml --tags security_groups",
    )
