"""Where a service can be reached through the load balancer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarmctl.cloud.load_balancer import (
    ElbApi,
    HttpListener,
    LoadBalancer,
    find_load_balancer,
    http_listeners,
)
from swarmctl.discovery.routes.labels import Route
from swarmctl.state import outside_aws


@dataclass(frozen=True, slots=True)
class Url:
    """A URL of a service.

    Attributes:
        text: for people: with the host that the rule names.
        address: the same at the load balancer's own name, which needs no DNS entry.
        host: to ask for at that address; ``""`` for its own.
    """

    text: str
    address: str
    host: str = ""


def probed_urls(cluster: str, routes: Iterable[Route], api: ElbApi | None = None) -> dict[str, Url]:
    """A URL of each service behind a cluster's load balancer, to be requested; none if it has none.

    HTTP if that is forwarded. HTTPS only for a route with a host: else the certificate's name is
    not known.

    Args:
        cluster: see :func:`shown_urls`.
        routes: see :func:`shown_urls`.
        api: see :func:`shown_urls`.

    Raises:
        CloudError: a call failed.
    """
    every = [] if outside_aws(cluster) else list(routes)
    api = api or ElbApi() if every else None
    balancer = find_load_balancer(api, cluster) if api else None
    if api is None or balancer is None:
        return {}
    listeners = http_listeners(api, balancer)
    plain = [each for each in listeners if each.protocol == "HTTP"]
    found = {r.service: urls(r, balancer, plain or listeners) for r in every if plain or r.hosts}
    return {service: each[0] for service, each in found.items() if each}


def shown_urls(
    cluster: str, routes: Iterable[Route], api: ElbApi | None = None
) -> dict[str, list[str]]:
    """The URLs of services behind a cluster's load balancer, by service; none if it has none.

    Args:
        cluster: its name.
        routes: of the services; AWS is asked only if there is any.
        api: Elastic Load Balancing; ``None`` for the environment's.

    Raises:
        CloudError: a call failed.
    """
    every = list(routes)
    if not every or outside_aws(cluster):
        return {}
    api = api or ElbApi()
    balancer = find_load_balancer(api, cluster)
    if balancer is None:
        return {}
    listeners = http_listeners(api, balancer)
    return {r.service: [url.text for url in urls(r, balancer, listeners)] for r in every}


def urls(route: Route, balancer: LoadBalancer, listeners: Iterable[HttpListener]) -> list[Url]:
    """One URL for each host and path of a route; HTTPS if there is a listener for it.

    In a pattern, what ``*`` stands for is left out at the end, and ``www`` at the front of a host.
    """
    ordered = sorted(listeners, key=lambda each: (each.protocol != "HTTPS", each.port))
    if not ordered:
        return []
    scheme, port = ordered[0].protocol.lower(), ordered[0].port
    ending = "" if port == {"http": 80, "https": 443}[scheme] else f":{port}"
    hosts = [host.replace("*", "www", 1) for host in route.hosts] or [""]
    return [
        Url(
            f"{scheme}://{host or balancer.dns_name}{ending}{path}",
            f"{scheme}://{balancer.dns_name}{ending}{path}",
            host,
        )
        for host in hosts
        for path in dict.fromkeys(each.rstrip("*") for each in route.paths)
    ]
