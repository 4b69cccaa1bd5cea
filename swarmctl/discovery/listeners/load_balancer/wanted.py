"""From a catalogue to the target groups and targets that it asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from swarmctl.cloud.target_groups import TargetPort
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.discovery.listeners.load_balancer.plan import Wanted, group_name
from swarmctl.discovery.routes.labels import Route


def endpoints_of(found: Catalogue, route: Route) -> tuple[Endpoint, ...]:
    """The endpoints that a load balancer forwards a route's requests to."""
    return tuple(e for e in found.endpoints if e.balanced and e.service == route.service)


def _unknown(found: Catalogue, route: Route) -> tuple[Endpoint, ...]:
    """Those of the route that serve at a port that is not known."""
    return tuple(e for e in found.unknown if e.balanced and e.service == route.service)


def wanted(
    found: Catalogue, cluster: str, vpc: str, instances: Mapping[str, str]
) -> tuple[Wanted, ...]:
    """All services behind the load balancer, with their targets.

    Args:
        found: the catalogue.
        cluster: its name.
        vpc: of the load balancer.
        instances: ids of running instances by private address; endpoints elsewhere are left out.
    """
    return tuple(
        Wanted(
            route,
            group_name(cluster, route.service, vpc),
            frozenset(
                TargetPort(instances[e.address], e.port)
                for e in endpoints_of(found, route)
                if e.address in instances
            ),
            frozenset(
                instances[e.address] for e in _unknown(found, route) if e.address in instances
            ),
        )
        for route in found.routes
    )


def addresses_of(found: Catalogue) -> frozenset[str]:
    """The addresses of all endpoints behind the load balancer."""
    return frozenset(e.address for e in found.every if e.balanced)


def unknown_addresses(found: Catalogue, instances: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Addresses of endpoints that no instance has, by service."""
    missing = {
        route.service: tuple(
            sorted({e.address for e in endpoints_of(found, route)} - set(instances))
        )
        for route in found.routes
    }
    return {service: addresses for service, addresses in missing.items() if addresses}
