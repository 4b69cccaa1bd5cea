"""Published ports: their security group rules, and the ports that must not be published."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

PRIVATE_PORTS = {22: "SSH", 2375: "the Engine API", 2376: "the Engine API", 2377: "Swarm",
                 4789: "VXLAN", 7946: "gossip"}  # fmt: skip


def published_rules(ports: Sequence[Any], cidr: str) -> list[dict[str, Any]]:
    """Security group rules for published ports.

    Args:
        ports: numbers or ranges, with an optional protocol: ``80``, ``"8000-8100"``, ``"53/udp"``.
        cidr: the block that may reach them.
    """
    return [
        {
            "proto": protocol,
            "from_port": low,
            "to_port": high,
            "cidr_ip": cidr,
            "rule_desc": "Published service ports",
        }
        for low, high, protocol in map(_port_range, ports)
    ]


def published_port_errors(ports: Sequence[Any]) -> list[str]:
    """What is wrong with ``published_ports``; each message says what is allowed."""
    errors = []
    for port in ports:
        try:
            low, high, _ = _port_range(port)
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


def _port_range(port: Any) -> tuple[int, int, str]:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", str(port))
    if match is None:
        raise ValueError(port)
    low, high = int(match[1]), int(match[2] or match[1])
    if not 1 <= low <= high <= 65535:
        raise ValueError(port)
    return low, high, match[3] or "tcp"


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "published_rules": published_rules,
            "published_port_errors": published_port_errors,
        }
