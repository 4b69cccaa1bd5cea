"""The ports that must not be published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from swarmctl.cloud.rules import port_range

PRIVATE_PORTS = {22: "SSH", 2375: "the Engine API", 2376: "the Engine API", 2377: "Swarm",
                 4789: "VXLAN", 7946: "gossip"}  # fmt: skip


def published_port_errors(ports: Sequence[Any]) -> list[str]:
    """What is wrong with ``published_ports``; each message says what is allowed."""
    errors = []
    for port in ports:
        try:
            low, high, _ = port_range(port)
        except ValueError:
            errors.append(
                f"published_ports holds {port!r}; allowed: numbers from 1 to 65535 or ranges of "
                "them, with an optional protocol: 80, 8000-8100, 53/udp"
            )
            continue
        errors += [
            f"published_ports: {port} opens {private} ({use}); allowed: ports of services"
            for private, use in PRIVATE_PORTS.items()
            if low <= private <= high
        ]
    return errors


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"published_port_errors": published_port_errors}
