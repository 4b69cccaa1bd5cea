"""The address ranges of this machine that are taken, and by what; a lab's VPC needs a free one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import docker

from swarmctl.errors import SwarmctlError
from swarmctl.lab.machine import LAB_LABEL

# Tried in this order. The first is the playbooks' own default. Those outside 10.0.0.0/8 are for a
# computer that is in such a network, or has a VPN to one; the last is for benchmarks (RFC 2544).
CANDIDATES = (
    *(IPv4Network(f"10.{second}.0.0/16") for second in range(42, 62)),
    *(IPv4Network(f"172.{second}.0.0/16") for second in range(20, 31)),
    IPv4Network("198.19.0.0/16"),
)

ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, slots=True)
class Taken:
    """A range and its holder, such as ``the Docker network web``."""

    range: IPv4Network
    holder: str


def conflict(cidr: str, taken: Iterable[Taken]) -> str:
    """Why a range cannot be used, with one that can be; ``""`` if it is free."""
    wanted, taken = ip_network(cidr, strict=False), tuple(taken)
    for other in taken:
        if wanted.overlaps(other.range):
            return (
                f"{cidr} is taken on this machine: {other.holder} uses {other.range}; "
                f"choose another vpc_cidr, for example {first_free(taken)}"
            )
    return ""


def first_free(taken: Iterable[Taken]) -> str:
    """The first range of ``CANDIDATES`` that overlaps nothing.

    Raises:
        SwarmctlError: all are taken.
    """
    ranges = [other.range for other in taken]
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(other) for other in ranges):
            return str(candidate)
    raise SwarmctlError(
        f"no address range among {CANDIDATES[0]} … {CANDIDATES[-1]} is free on this machine",
        "remove Docker networks or labs that are not needed: docker network ls",
    )


def taken_here(client: docker.DockerClient, lab: str) -> tuple[Taken, ...]:
    """The ranges of Docker networks and routes, without those of the lab's own networks."""
    found, bridges = list[Taken](), set[IPv4Network]()
    for network in client.api.networks():
        owner = (network.get("Labels") or {}).get(LAB_LABEL, "")
        holder = f"the Docker network {network['Name']}" + (f" of the lab {owner}" if owner else "")
        for pool in (network.get("IPAM") or {}).get("Config") or ():
            if isinstance(subnet := ip_network(pool["Subnet"]), IPv4Network):
                bridges.add(subnet)
                if owner != lab:
                    found.append(Taken(subnet, holder))
    # A Docker network has a route too.
    routes = (route for route in read_routes(ROUTES.read_text()) if route.range not in bridges)
    return (*found, *routes)


def read_routes(text: str) -> tuple[Taken, ...]:
    """The routes of ``/proc/net/route``, without the default route."""
    rows = (line.split()[:8] for line in text.splitlines()[1:])
    return tuple(
        Taken(IPv4Network((_address(to), int(mask, 16).bit_count())), f"the route of {interface}")
        for interface, to, *_, mask in rows
        if int(mask, 16)
    )


def _address(little_endian: str) -> int:
    return int.from_bytes(bytes.fromhex(little_endian), "little")
