"""SW011 to SW013: networks local to a node, and encryption that needs ESP."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import ScalarNode
from swarmctl.stack.compose.view import Definition, Stack
from swarmctl.stack.lint.rule import Context, Edit, Hit, Severity, rule

# Drivers of networks that are local to a node.
_LOCAL = ("bridge", "host", "none", "null", "macvlan", "ipvlan")


@rule("SW011", "local-network", Severity.ERROR, "services cannot use a network local to a node")
def local_network(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """``driver: bridge`` and the like: only swarm-scoped networks can be used with services."""
    del swarm
    for network in stack.networks.values():
        if network.driver in _LOCAL and not network.external:
            words = (
                f"the network {network.key!r} is local to a node (driver {network.driver}): "
                "docker stack deploy fails with “cannot be used with services”; use overlay"
            )
            yield Hit((*network.path, "driver"), words, edit=_to_overlay(stack, network))


def _to_overlay(stack: Stack, network: Definition) -> Edit | None:
    path = (*network.path, "driver")
    node, document = stack.node(path), stack.files[stack.origins.of(path).file].document
    if network.driver != "bridge" or not isinstance(node, ScalarNode) or node.raw != "bridge":
        return None
    written = document.text[node.start.offset : node.end.offset]
    if "bridge" not in written:
        return None
    return Edit(node.start.offset, node.end.offset, written.replace("bridge", "overlay"))


@rule("SW012", "network-mode", Severity.WARNING, "network_mode and links are ignored")
def network_mode(stack: Stack, _: Context) -> Iterator[Hit]:
    """Keys that connect containers of one node; docker stack deploy ignores them."""
    instead = {
        "network_mode": "use networks (for host: an external network)",
        "links": "services on a network find each other by name",
        "external_links": "share an attachable overlay network",
    }
    for service in stack.services:
        for key, words in instead.items():
            if service.get(key) is not None:
                yield Hit((*service.path, key), f"docker stack ignores {key}: {words}")


@rule("SW013", "encrypted-overlay", Severity.INFO, "an encrypted overlay needs ESP between nodes")
def encrypted(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Without IP protocol 50, names resolve but connections hang (moby#25266)."""
    known = swarm.snapshot.esp_open if swarm.snapshot else None
    if known:
        return
    for network in stack.networks.values():
        value = network.options.get("encrypted")
        if network.external or value is None or value.lower() in ("false", "0", "f"):
            continue
        words = (
            f"the network {network.key!r} is encrypted: allow ESP (protocol 50) between all nodes"
        )
        if known is False:
            words += "; no security group allows it, so connections hang"
        place = (*network.path, "driver_opts", "encrypted")
        yield Hit(place, words, severity=None if known is None else Severity.ERROR)
