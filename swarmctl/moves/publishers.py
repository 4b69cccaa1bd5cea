"""What tells clients of endpoints, as a move needs it: one pass, and how long clients may lag."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from swarmctl.cloud.cloud_map import TTL_S
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.discovery.listeners.aws import Aws
from swarmctl.discovery.sync import sync
from swarmctl.swarm.model import Swarm

# Agents poll the managers twice a second; their API and DNS (TTL 0) follow at once.
AGENT_S = 2.0


class Publisher(Protocol):
    """One way in which clients find endpoints."""

    @property
    def name(self) -> str:
        """For messages."""

    def publish(self, swarm: Swarm) -> None:
        """Bring it in line with a snapshot, as ``discovery sync`` does.

        Raises:
            SwarmctlError: not all of it could be done.
        """

    def not_ready(self, endpoints: Collection[Endpoint]) -> str:
        """Which of these endpoints clients do not get yet, or ``""``."""

    def lag(self, found: Catalogue, leaving: Collection[Endpoint]) -> float:
        """Seconds after a pass in which clients may still use withdrawn endpoints.

        Args:
            found: the catalogue before they were withdrawn.
            leaving: these endpoints.
        """


@dataclass(frozen=True, slots=True)
class Agents:
    """Agents that may run anywhere: they see the Swarm by themselves."""

    name: str = "agents (Consul API and DNS)"

    def publish(self, swarm: Swarm) -> None:
        """Nothing to do."""

    def not_ready(self, endpoints: Collection[Endpoint]) -> str:
        """Nothing: they list what serves."""
        del endpoints
        return ""

    def lag(self, found: Catalogue, leaving: Collection[Endpoint]) -> float:
        """See :class:`Publisher`."""
        del found
        return AGENT_S if leaving else 0.0


@dataclass(frozen=True, slots=True)
class CloudMap:
    """A Cloud Map namespace.

    Args:
        aws: the namespace.
        owner: the Swarm's id.
    """

    aws: Aws
    owner: Callable[[], str]

    @property
    def name(self) -> str:
        """See :class:`Publisher`."""
        return f"Cloud Map {self.aws.cloud_map}"

    def publish(self, swarm: Swarm) -> None:
        """See :class:`Publisher`."""
        sync(swarm, self.aws, self.owner, dry_run=False)

    def not_ready(self, endpoints: Collection[Endpoint]) -> str:
        """Nothing: a registered instance is in the answers."""
        del endpoints
        return ""

    def lag(self, found: Catalogue, leaving: Collection[Endpoint]) -> float:
        """See :class:`Publisher`."""
        del found
        return float(TTL_S) if leaving else 0.0


def publishers(aws: Aws, owner: Callable[[], str]) -> tuple[Publisher, ...]:
    """All that a command's options name, and agents.

    Args:
        aws: what is in AWS.
        owner: the Swarm's id.

    Raises:
        CloudError: a call failed.
    """
    found: list[Publisher] = [Agents()]
    if aws.cloud_map:
        found.append(CloudMap(Aws(cloud_map=aws.cloud_map), owner))
    if aws.cluster:
        from swarmctl.moves.load_balancer import behind_balancer

        found += behind_balancer(aws.cluster)
    return tuple(found)
