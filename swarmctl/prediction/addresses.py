"""How many addresses an overlay network has, and how many are in use: pure."""

from __future__ import annotations

import ipaddress

from swarmctl.swarm.model import Network, Swarm


def size(network: Network) -> int:
    """Addresses for tasks, services and nodes: without network, broadcast and gateway."""
    return sum(map(_size, network.subnets))


def _size(subnet: str) -> int:
    try:
        parsed = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return 0
    return max(0, parsed.num_addresses - 3) if parsed.version == 4 else 0


def used(swarm: Swarm, network: Network) -> int:
    """Addresses in use: of unfinished tasks, virtual IPs, and one for each node with tasks."""
    taken, nodes = set[str](), set[str]()
    for task in swarm.tasks:
        if task.ended:
            continue
        mine = {address for network_id, address in task.addresses if network_id == network.id}
        taken |= mine
        nodes |= {task.node_id} if mine else set()
    taken |= {
        address for s in swarm.services for net, address in s.virtual_ips if net == network.id
    }
    return len(taken) + (len(swarm.nodes) if network.ingress else len(nodes))
