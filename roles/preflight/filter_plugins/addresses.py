"""Address ranges: the subnets of a VPC, and the rules that ranges must meet together.

``ansible.utils.ipaddr`` would need netaddr; the standard library is enough here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

# The first four addresses and the last one of a subnet belong to AWS.
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
RESERVED_ADDRESSES = 5
# docker0 and docker_gwbridge, which every node has.
ENGINE_BRIDGES = (IPv4Network("172.17.0.0/16"), IPv4Network("172.18.0.0/16"))


def plan_subnets(vpc_cidr: str, zones: Sequence[str], prefix: int = 24) -> list[dict[str, str]]:
    """One subnet a zone: the first free blocks of the VPC, in the order of the zones.

    Args:
        vpc_cidr: the VPC's address range.
        zones: availability zones.
        prefix: length of the subnets' prefixes.

    Returns:
        ``[{"az": …, "cidr": …}]``; shorter than ``zones`` when the VPC is too small, empty when
        ``vpc_cidr`` is not a range (``address_errors`` reports it).
    """
    try:
        network = _network(vpc_cidr)
    except ValueError:
        return []
    if prefix < network.prefixlen:
        return []
    blocks = network.subnets(new_prefix=prefix)
    return [{"az": az, "cidr": str(block)} for az, block in zip(zones, blocks, strict=False)]


def address_errors(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the address ranges; each message names the variable and what is allowed.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
    """
    malformed = [*_malformed(settings)]
    return malformed or [*_vpc(settings), *_subnets(settings), *_capacity(settings)]


def _malformed(s: Mapping[str, Any]) -> Iterator[str]:
    names = ["admin_cidr", "vpc_cidr", "swarm_address_pool"]
    if s["published_cidr"] != s["admin_cidr"]:
        names.append("published_cidr")
    for variable, text in [
        *((n, s[n]) for n in names),
        *(("load_balancer_cidrs", c) for c in s["load_balancer_cidrs"] if c != s["published_cidr"]),
        *(("subnets", n["cidr"]) for n in s["subnets"]),
    ]:
        try:
            _network(text)
        except ValueError as error:
            yield (
                f"{variable} is {text!r} ({error}); allowed: an IPv4 block such as 10.42.0.0/16"
                if text or variable != "admin_cidr"
                else "admin_cidr is missing; allowed: the block that SSH comes from, such as "
                "198.51.100.7/32 (or set SWARMCTL_ADMIN_CIDR)"
            )


def _vpc(s: Mapping[str, Any]) -> Iterator[str]:
    vpc, pool = _network(s["vpc_cidr"]), _network(s["swarm_address_pool"])
    if _network(s["admin_cidr"]).prefixlen == 0:
        yield "admin_cidr is 0.0.0.0/0, the whole internet; allowed: your own block"
    if not 16 <= vpc.prefixlen <= 28:
        yield f"vpc_cidr is {vpc}; allowed: a prefix from /16 to /28"
    if vpc.overlaps(pool):
        yield f"vpc_cidr {vpc} overlaps swarm_address_pool {pool}; allowed: disjoint ranges"
    for bridge in ENGINE_BRIDGES:
        if vpc.overlaps(bridge):
            yield f"vpc_cidr {vpc} overlaps {bridge}, a bridge of every Engine; allowed: any other"


def _subnets(s: Mapping[str, Any]) -> Iterator[str]:
    zones, vpc = s["availability_zones"], _network(s["vpc_cidr"])
    subnets = [_network(subnet["cidr"]) for subnet in s["subnets"]]
    for subnet in s["subnets"]:
        if subnet["az"] not in zones:
            yield f"subnets: {subnet['cidr']} is in {subnet['az']!r}; allowed: {', '.join(zones)}"
    for network in subnets:
        if not network.subnet_of(vpc):
            yield f"subnets: {network} lies outside vpc_cidr {vpc}; allowed: a part of it"
    for one, other in itertools.combinations(subnets, 2):
        if one.overlaps(other):
            yield f"subnets: {one} overlaps {other}; allowed: disjoint ranges"
    if len(subnets) < len(zones):
        yield (
            f"vpc_cidr {vpc} has room for {len(subnets)} subnets, availability_zones names "
            f"{len(zones)}; allowed: a larger vpc_cidr or fewer zones"
        )


def _capacity(s: Mapping[str, Any]) -> Iterator[str]:
    if len(s["subnets"]) < max(1, len(s["availability_zones"])):
        return
    nodes = int(s["managers"]) + int(s["workers"])
    busiest = -(-nodes // len(s["subnets"]))
    smallest = min(_network(subnet["cidr"]).num_addresses for subnet in s["subnets"])
    if busiest > smallest - RESERVED_ADDRESSES:
        yield (
            f"managers + workers is {nodes}, {busiest} in one subnet, which has "
            f"{smallest - RESERVED_ADDRESSES} addresses; allowed: fewer workers, more zones or a "
            "larger vpc_cidr"
        )


def _network(text: Any) -> IPv4Network:
    if "/" not in str(text):
        raise ValueError(f"{text!r} has no prefix length")
    return IPv4Network(str(text))


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {"plan_subnets": plan_subnets, "address_errors": address_errors}
