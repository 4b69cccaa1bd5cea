"""Whether a majority of the managers remains after a loss of nodes: pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from swarmctl.swarm.model import Swarm


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many managers there are, and how many of them remain.

    https://docs.docker.com/engine/swarm/admin_guide/#add-manager-nodes-for-fault-tolerance
    """

    managers: int
    remaining: int

    @property
    def needed(self) -> int:
        """The majority without which the Swarm cannot be changed."""
        return self.managers // 2 + 1

    @property
    def kept(self) -> bool:
        """Whether a majority remains; true of a snapshot that shows no managers."""
        return not self.managers or self.remaining >= self.needed


def quorum_without(swarm: Swarm, lost: Collection[str]) -> Quorum:
    """The quorum after a loss of nodes (ids); unreachable managers are lost already."""
    managers = swarm.managers
    remaining = sum(
        n.reachability == "reachable" and n.state != "down" and n.id not in lost for n in managers
    )
    return Quorum(len(managers), remaining)
