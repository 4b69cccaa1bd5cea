"""SW011 to SW013: networks that do not reach beyond a node, and encryption that needs ESP."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.reading.yaml_nodes import ScalarNode
from swarmctl.stack.compose.view import Stack, Thing
from swarmctl.stack.lint.rule import Context, Edit, Hit, Severity, rule

# Drivers whose networks Docker makes on one node only.
_LOCAL = ("bridge", "host", "none", "null", "macvlan", "ipvlan")


@rule("SW011", "local-network", Severity.ERROR, "a network of one node cannot carry a service")
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


def _to_overlay(stack: Stack, network: Thing) -> Edit | None:
    path = (*network.path, "driver")
    node, document = stack.node(path), stack.files[stack.origins.of(path).file].document
    if network.driver != "bridge" or not isinstance(node, ScalarNode) or node.raw != "bridge":
        return None
    written = document.text[node.start.offset : node.end.offset]
    if "bridge" not in written:
        return None
    return Edit(node.start.offset, node.end.offset, written.replace("bridge", "overlay"))


@rule("SW012", "network-mode", Severity.WARNING, "network_mode and links do nothing in a Swarm")
def network_mode(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Keys that tie containers of one node together; docker stack deploy ignores them."""
    del swarm
    instead = {
        "network_mode": "the service joins its networks instead; host needs an external network",
        "links": "services of a network find each other by name",
        "external_links": "share an attachable overlay network instead",
    }
    for service in stack.services:
        for key, words in instead.items():
            if service.get(key) is not None:
                yield Hit((*service.path, key), f"docker stack ignores {key}: {words}")


@rule("SW013", "encrypted-overlay", Severity.INFO, "an encrypted overlay needs ESP between nodes")
def encrypted(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Without IP protocol 50 names resolve and connections hang (moby#25266)."""
    known = swarm.snapshot.esp_open if swarm.snapshot else None
    if known:
        return
    for network in stack.networks.values():
        value = network.options.get("encrypted")
        if network.external or value is None or value.lower() in ("false", "0", "f"):
            continue
        words = f"the network {network.key!r} is encrypted: all nodes must let ESP (IP protocol 50)"
        if known is None:
            yield Hit((*network.path, "driver_opts", "encrypted"), f"{words} through to each other")
        else:
            words += " through to each other, and no security group does: connections will hang"
            place = (*network.path, "driver_opts", "encrypted")
            yield Hit(place, words, severity=Severity.ERROR)
