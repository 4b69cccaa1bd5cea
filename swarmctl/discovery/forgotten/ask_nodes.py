"""Host ports that the managers forgot, read on the nodes themselves over SSH, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from swarmctl.discovery.catalogue import host_ports
from swarmctl.swarm.model import Port, Service, Swarm
from swarmctl.swarm.observe.host_ports import Shell, read_host_ports

# Finds the host ports of these services' tasks, by task id; those it does not know are left out.
AskPorts = Callable[[Swarm, Sequence[Service]], dict[str, tuple[Port, ...]]]


def forgotten(swarm: Swarm) -> tuple[Service, ...]:
    """Services with a serving task whose host ports the managers do not know."""
    return tuple(
        service
        for service in swarm.services
        if any(port.mode == "host" for port in service.ports)
        and not all(host_ports(service, task) for task in swarm.serving(service))
    )


def ask_nodes(swarm: Swarm, shell: Shell) -> Swarm:
    """The snapshot with the ports that the nodes report; a silent node's tasks stay without.

    Args:
        swarm: a snapshot.
        shell: commands on the nodes.
    """
    return with_ports(swarm, read_host_ports(shell, swarm, forgotten(swarm)))


def with_ports(swarm: Swarm, found: dict[str, tuple[Port, ...]]) -> Swarm:
    """The snapshot with host ports by task id, where the managers report none."""
    if not found:
        return swarm
    return replace(
        swarm,
        tasks=tuple(
            replace(task, ports=found[task.id]) if task.id in found and not task.ports else task
            for task in swarm.tasks
        ),
    )
