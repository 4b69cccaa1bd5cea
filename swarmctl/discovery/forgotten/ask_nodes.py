"""Host ports that the managers forgot, read on the nodes themselves over SSH, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swarmctl.discovery.catalogue import missing_ports
from swarmctl.discovery.forgotten.memory import Memory, complete
from swarmctl.swarm.model import Port, Service, Swarm
from swarmctl.swarm.observe.host_ports import Shell, read_host_ports, with_ports

# Finds the host ports of these services' tasks, by task id; those it does not know are left out.
AskPorts = Callable[[Swarm, Sequence[Service]], dict[str, tuple[Port, ...]]]


def forgotten(swarm: Swarm) -> tuple[Service, ...]:
    """Services with a serving task of which the managers do not know every host port."""
    return tuple(
        service
        for service in swarm.services
        if any(missing_ports(service, task) for task in swarm.serving(service))
    )


def ask_nodes(swarm: Swarm, shell: Shell) -> Swarm:
    """The snapshot with the ports that the nodes report; a silent node's tasks stay without.

    Args:
        swarm: a snapshot.
        shell: commands on the nodes.
    """
    return with_ports(swarm, read_host_ports(shell, swarm, forgotten(swarm)))


@dataclass
class Whole:
    """Completes one snapshot after the other: from the one before, then by asking the nodes.

    Args:
        shell: commands on the nodes; ``None``: nobody can be asked.
    """

    shell: Shell | None
    _memory: Memory = field(default_factory=Memory)

    def __call__(self, swarm: Swarm) -> Swarm:
        """The snapshot with what the managers forgot."""
        swarm, self._memory = complete(swarm, self._memory)
        if self.shell:
            swarm, self._memory = complete(ask_nodes(swarm, self.shell), self._memory)
        return swarm
