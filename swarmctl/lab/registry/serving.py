"""Where the registry listens, and how the lab's machines reach it under the same address.

Its address is on loopback: only there an Engine accepts plain HTTP without being told, this
computer's and those of the machines alike. On a machine, packets to it are sent to the VPC's
gateway, which is this computer.
"""

from __future__ import annotations

import threading

from swarmctl.lab.http_server import http_server
from swarmctl.lab.registry.gateway import Gateway
from swarmctl.lab.registry.upstream import Upstream


def serve_registry(registry: Gateway, store: str, token_life: float) -> str:
    """Serve the registry to this computer, at a free port.

    Args:
        registry: the gateway.
        store: the address of the docker-registry behind it.
        token_life: seconds that a new token is good.

    Returns:
        Its address, for example ``127.0.0.1:32801``.
    """
    server = http_server("127.0.0.1", 0, registry)
    registry.address, registry.upstream = f"127.0.0.1:{server.port}", Upstream(store)
    registry.tokens.life = token_life
    threading.Thread(target=server.serve_forever, daemon=True, name="registry").start()
    return registry.address


def translation(address: str, gateway: str, port: int) -> list[str]:
    """The nftables chains by which a machine itself reaches the registry. Pure.

    Args:
        address: of the registry, ``""`` for none.
        gateway: of the VPC.
        port: where the registry listens there.
    """
    if not address:
        return []
    host, _, given = address.rpartition(":")
    return [
        "  chain registry {",
        "    type nat hook output priority -100; policy accept;",
        f"    ip daddr {host} tcp dport {given} dnat to {gateway}:{port}",
        "  }",
        # Loopback is the packet's source, too: nothing could answer it.
        "  chain from_loopback {",
        "    type nat hook postrouting priority srcnat; policy accept;",
        f"    ip saddr {host} ip daddr {gateway} masquerade",
        "  }",
    ]
