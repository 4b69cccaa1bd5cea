"""A cluster's load balancer, as a move needs it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from swarmctl.cloud.load_balancer import ElbApi, find_load_balancer
from swarmctl.cloud.target_groups import TargetPort, find_groups
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import follow
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.discovery.listeners.aws import load_balancer
from swarmctl.discovery.listeners.load_balancer.listener import LoadBalancerListener
from swarmctl.discovery.routes.labels import SETTINGS
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm

_DELAY = SETTINGS["deregistration-delay"].aws
# A load balancer's machines learn of a change one after the other, even with a delay of 0.
_LEAST_S = 5.0


@dataclass
class Balancer:
    """The load balancer.

    Args:
        make: a listener that remembers nothing: an agent may change the same things.
        name: for messages.
    """

    make: Callable[[], LoadBalancerListener]
    name: str

    def __post_init__(self) -> None:
        """Begin with one."""
        self._listener = self.make()

    def publish(self, swarm: Swarm) -> None:
        """One pass, as ``discovery sync`` makes it.

        A service whose labels cannot be published does not hinder the others: what counts is that
        nothing is registered that should not be.

        Raises:
            SwarmctlError: endpoints that were withdrawn are still targets.
        """
        found, self._listener = catalogue(swarm), self.make()
        try:
            self._listener.publish(follow(None, found, (), 1))
        except SwarmctlError as fault:
            if left := self._too_many(found):
                raise SwarmctlError(f"{self.name}: {left}: {fault.message}") from fault

    def not_ready(self, endpoints: Collection[Endpoint]) -> str:
        """See :class:`swarmctl.moves.publishers.Publisher`: each must be healthy."""
        health = self._health()
        seen = {}
        for endpoint in endpoints:
            if not endpoint.balanced:
                continue
            if target := self._target(endpoint):
                state = health.get((endpoint.service, target), "not registered")
                seen[str(target)] = state
            else:
                seen[endpoint.address] = "the address of no running instance of the cluster"
        return ", ".join(f"{t} is {state}" for t, state in seen.items() if state != "healthy")

    def lag(self, found: Catalogue, leaving: Collection[Endpoint]) -> float:
        """See :class:`swarmctl.moves.publishers.Publisher`: the deregistration delay."""
        services = {endpoint.service for endpoint in leaving if endpoint.balanced}
        delays = [
            float(dict(route.settings).get(_DELAY, 0))
            for route in found.routes
            if route.service in services
        ]
        return max(_LEAST_S, *delays) if delays else 0.0

    def _too_many(self, found: Catalogue) -> str:
        """Targets of services that are published, but not by the catalogue.

        Where a port is not known, what is registered may be it.
        """
        wanted = {
            (e.service, target)
            for e in found.endpoints
            if e.balanced and (target := self._target(e))
        }
        unknown = {
            (e.service, target.instance) for e in found.unknown if (target := self._target(e))
        }
        services = {route.service for route in found.routes}
        left = [
            str(t)
            for s, t in self._health()
            if s in services and (s, t) not in wanted and (s, t.instance) not in unknown
        ]
        return f"still targets: {', '.join(sorted(left))}" if left else ""

    def _target(self, endpoint: Endpoint) -> TargetPort | None:
        instance = self._listener.instances.running.get(endpoint.address)
        return TargetPort(instance, endpoint.port) if instance else None

    def _health(self) -> Mapping[tuple[str, TargetPort], str]:
        """The state of every registered target, by service; those that drain are not among them."""
        cluster = self._listener.cluster
        groups = find_groups(self._listener.api, cluster)
        return {
            (group.service, target): state
            for group in groups.values()
            for target, state in group.health.items()
        }


def behind_balancer(cluster: str) -> list[Balancer]:
    """The cluster's load balancer; none if it has none.

    Raises:
        CloudError: a call failed, or there are several.
    """
    found = find_load_balancer(ElbApi(), cluster)
    if found is None:
        return []
    return [Balancer(lambda: load_balancer(cluster), f"load balancer {found.name}")]
