"""SW014: overlay networks with too few addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose.view import Definition, Service, Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule

_DEFAULT_PREFIX = 24  # of the Swarm's default address pool


@rule("SW014", "small-subnet", Severity.WARNING, "an overlay runs out of addresses on relocation")
def small_subnet(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Dead tasks keep their address until they are removed, so each relocation needs a second."""
    nodes = len(swarm.snapshot.swarm.nodes) if swarm.snapshot else 0
    for name, network, path in _overlays(stack):
        prefix = _prefix(network)
        if prefix is None:
            continue
        attached = [s for s in stack.services if name in _networks(s)]
        tasks = sum(nodes if service.is_global else service.replicas for service in attached)
        virtual = sum(s.text("deploy", "endpoint_mode") != "dnsrr" for s in attached)
        needed = 2 * tasks + virtual + nodes
        there = max(0, 2 ** (32 - prefix) - 3)
        if needed > there:
            words = (
                f"the network {name!r} (/{prefix}) has {there} addresses; {tasks} tasks, each "
                f"moved once, and the virtual IPs need {needed}: use a larger subnet"
            )
            yield Hit(path, words)


def _overlays(stack: Stack) -> Iterator[tuple[str, Definition | None, Path]]:
    for name, network in stack.networks.items():
        if not network.external and network.driver in ("", "overlay"):
            yield name, network, network.path
    alone = [service for service in stack.services if not service.networks]
    if "default" not in stack.networks and alone:
        yield "default", None, ("services", max(alone, key=lambda s: s.replicas).name)


def _networks(service: Service) -> tuple[str, ...]:
    return tuple(name for name, _ in service.networks) or ("default",)


def _prefix(network: Definition | None) -> int | None:
    pools = network.get("ipam", "config") if network else None
    subnets = [p.get("subnet") for p in pools if isinstance(p, dict)] if pools else []
    if not subnets:
        return _DEFAULT_PREFIX
    prefixes = []
    for subnet in subnets:
        try:
            parsed = ipaddress.ip_network(str(subnet), strict=False)
        except ValueError:
            return None
        if parsed.version == 4:
            prefixes.append(parsed.prefixlen)
    return min(prefixes, default=None)
