"""Which sources there are that name a Swarm's endpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from swarmctl.cloud.cloud_map import CloudMap, namespaces_of
from swarmctl.cloud.instances import Cloud
from swarmctl.cloud.load_balancer import ElbApi, find_load_balancer
from swarmctl.discovery.check.cloud_map import CloudMapSource
from swarmctl.discovery.check.consul_api import ConsulApi
from swarmctl.discovery.check.dns import Dns
from swarmctl.discovery.check.load_balancer import LoadBalancerCheck
from swarmctl.discovery.check.source import Published, Source
from swarmctl.discovery.check.target_groups import TargetGroups
from swarmctl.discovery.listeners.aws import load_balancer
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import SwarmctlError
from swarmctl.state import outside_aws

HTTP_PORT, DNS_PORT = 8500, 8600
_PARALLEL = 16


@dataclass(frozen=True, slots=True)
class Choice:
    """The sources that a user named.

    Attributes:
        consul: where a Consul API listens; ``None`` to look for an agent.
        dns: where a DNS listens; the same.
        cloud_map: a namespace; ``""`` for those with the cluster's tag.
        domain: that the DNS answers for.
    """

    consul: Place | None = None
    dns: Place | None = None
    cloud_map: str = ""
    domain: str = "consul"

    def agent(self, addresses: Iterable[str], nodes: Collection[str]) -> Iterator[Source]:
        """The agent's: those that were named, else all that are found.

        Args:
            addresses: see :func:`agents`.
            nodes: see :func:`agents`.
        """
        if self.consul is None and self.dns is None:
            yield from agents(addresses, nodes, domain=self.domain)
        if self.consul is not None:
            yield ConsulApi(self.consul)
        if self.dns is not None:
            yield Dns(self.dns, self.domain)


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


def agents(
    addresses: Iterable[str],
    nodes: Collection[str],
    ports: tuple[int, int] = (HTTP_PORT, DNS_PORT),
    domain: str = "consul",
) -> Iterator[Source]:
    """The Consul API and DNS of the agents of a Swarm.

    Args:
        addresses: where an agent may run.
        nodes: the names of the Swarm's nodes: an agent of another Swarm has none of them; one of
            this Swarm that is behind has not all of them.
        ports: where its API and its DNS listen.
        domain: that its DNS answers for.
    """
    apis = [ConsulApi(Place(address, ports[0])) for address in dict.fromkeys(addresses)]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        members = list(pool.map(ConsulApi.members, apis))
    for api in (api for api, known in zip(apis, members, strict=True) if known & set(nodes)):
        address = api.place.address
        at = f" ({address})"
        yield replace(api, name=f"{api.name}{at}")
        dns = Dns(Place(address, ports[1]), domain)
        if not dns.ask(["a"]).fault:
            yield replace(dns, name=f"{dns.name}{at}")


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
    named = (namespace,) if namespace else ()
    try:
        found = named or (() if not cluster or outside_aws(cluster) else find(cluster))
    except SwarmctlError as fault:
        return (NotAsked("Cloud Map", f"cannot be asked for namespaces: {fault.message}"),)
    return tuple(CloudMapSource(partial(CloudMap, name), swarm_id) for name in found)


def behind_load_balancer(
    cluster: str, *, in_use: bool = False
) -> tuple[tuple[Source, ...], tuple[LoadBalancerCheck, ...]]:
    """A cluster's load balancer, if it has one: its targets, and all else of it.

    Args:
        cluster: its name; ``""`` for none.
        in_use: see :class:`swarmctl.discovery.check.target_groups.TargetGroups`.
    """
    if not cluster or outside_aws(cluster):
        return (), ()
    try:
        api = ElbApi()
        if find_load_balancer(api, cluster) is None:
            return (), ()
        ec2 = Cloud()
    except SwarmctlError as fault:
        why = f"cannot be asked for load balancers: {fault.message}"
        return (NotAsked("target groups", why),), ()
    groups = TargetGroups(cluster, api, partial(ec2.instances, cluster), in_use=in_use)
    return (groups,), (LoadBalancerCheck(partial(load_balancer, cluster)),)
