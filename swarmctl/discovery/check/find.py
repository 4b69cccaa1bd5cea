"""What AWS has that names a cluster's endpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from swarmctl.cloud.cloud_map import CloudMap, namespaces_of
from swarmctl.cloud.instances import Cloud
from swarmctl.cloud.load_balancer import ElbApi, find_load_balancer
from swarmctl.discovery.check.cloud_map import CloudMapSource
from swarmctl.discovery.check.load_balancer import LoadBalancerCheck
from swarmctl.discovery.check.source import Published, Source
from swarmctl.discovery.check.target_groups import TargetGroups
from swarmctl.discovery.listeners.aws import load_balancer
from swarmctl.errors import SwarmctlError


@dataclass(frozen=True, slots=True)
class NotAsked:
    """A source of which not even its existence is known."""

    name: str
    why: str
    every_s: float = 5.0

    def ask(self, names: Collection[str]) -> Published:
        """Only why it cannot be asked."""
        del names
        return Published(self.name, fault=self.why)


def in_cloud_map(
    cluster: str,
    swarm_id: str,
    namespace: str | None,
    find: Callable[[str], tuple[str, ...]] = namespaces_of,
) -> tuple[Source, ...]:
    """A cluster's namespaces of Cloud Map.

    Args:
        cluster: the name in the namespaces' tag; ``""`` to find none.
        swarm_id: the owner of what the agent registers.
        namespace: the only one to ask; ``None`` for those with the tag.
        find: replaced in tests.
    """
    try:
        found = (namespace,) if namespace else find(cluster) if cluster else ()
    except SwarmctlError as fault:
        return (NotAsked("Cloud Map", f"cannot be asked for namespaces: {fault.message}"),)
    return tuple(CloudMapSource(partial(CloudMap, name), swarm_id) for name in found)


def behind_load_balancer(cluster: str) -> tuple[tuple[Source, ...], tuple[LoadBalancerCheck, ...]]:
    """A cluster's load balancer, if it has one: its targets, and all else of it.

    Args:
        cluster: its name; ``""`` for none.
    """
    if not cluster:
        return (), ()
    try:
        api = ElbApi()
        if find_load_balancer(api, cluster) is None:
            return (), ()
        ec2 = Cloud()
    except SwarmctlError as fault:
        why = f"cannot be asked for load balancers: {fault.message}"
        return (NotAsked("target groups", why),), ()
    groups = TargetGroups(cluster, api, partial(ec2.instances, cluster))
    return (groups,), (LoadBalancerCheck(partial(load_balancer, cluster)),)
