"""Address arithmetic, and the checks of everything a user may write in group_vars.

``ansible.utils.ipaddr`` would need netaddr; the standard library knows all that is needed here.
The functions are pure (except ``aws_credentials_problem``), so tests call them directly.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

AMI_FAMILIES = ("debian13", "ubuntu2404", "al2023")
ENGINE_SOURCES = ("distribution", "docker_repository")
MANAGERS = (1, 3, 5, 7)  # https://docs.docker.com/engine/swarm/raft/ advises at most seven
# The first four addresses and the last one of a subnet belong to AWS.
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
RESERVED_ADDRESSES = 5
VPC_PREFIXES = (16, 28)
# docker0 and docker_gwbridge, which every node has.
ENGINE_BRIDGES = (IPv4Network("172.17.0.0/16"), IPv4Network("172.18.0.0/16"))
# Ports that must never be opened as "published": SSH, Swarm management, Engine API.
PRIVATE_PORTS = {22: "SSH", 2375: "the Engine API", 2376: "the Engine API", 2377: "Swarm",
                 4789: "VXLAN", 7946: "gossip"}  # fmt: skip


def plan_subnets(vpc_cidr: str, zones: Sequence[str], prefix: int = 24) -> list[dict[str, str]]:
    """One subnet a zone: the first free blocks of the VPC, in the order of the zones.

    Args:
        vpc_cidr: the VPC's address range.
        zones: availability zones.
        prefix: length of the subnets' prefixes.

    Returns:
        ``[{"az": …, "cidr": …}]``; shorter than ``zones`` when the VPC is too small, empty when
        its range is not one (which is for ``preflight_errors`` to say).
    """
    network, _ = _network("vpc_cidr", vpc_cidr)
    if network is None or prefix < network.prefixlen:
        return []
    blocks = network.subnets(new_prefix=prefix)
    return [{"az": az, "cidr": str(block)} for az, block in zip(zones, blocks, strict=False)]


def plan_nodes(
    cluster: str, managers: int, workers: int, zones: Sequence[str]
) -> list[dict[str, str]]:
    """Every node by name, round-robin over the zones; managers first.

    A node's zone depends on its own number alone: a node that is made anew, after the number of
    managers or workers has changed, goes where it was. Workers begin at the second zone, so that
    one manager and three workers over three zones do not leave two zones with a single node.

    Returns:
        ``[{"name": …, "role": "manager"|"worker", "az": …}]``
    """

    def deal(prefix: str, role: str, count: int, first: int) -> list[dict[str, str]]:
        return [
            {
                "name": f"{cluster}_{prefix}{number + 1}",
                "role": role,
                "az": zones[(first + number) % len(zones)],
            }
            for number in range(int(count))
        ]

    return deal("mgr", "manager", managers, 0) + deal("wkr", "worker", workers, 1)


def published_rules(ports: Sequence[Any], cidr: str) -> list[dict[str, Any]]:
    """Security group rules for published ports.

    Args:
        ports: numbers or ranges, with an optional protocol: ``80``, ``"8000-8100"``, ``"53/udp"``.
        cidr: who may reach them.
    """
    rules = []
    for port in ports:
        low, high, protocol = _port_range(port)
        rules.append(
            {
                "proto": protocol,
                "from_port": low,
                "to_port": high,
                "cidr_ip": cidr,
                "rule_desc": "Published service ports",
            }
        )
    return rules


def preflight_errors(settings: Mapping[str, Any]) -> list[str]:
    """All that is wrong with the settings; each message names the variable and what is allowed.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
    """
    return [
        *_names(settings),
        *_numbers(settings),
        *_choices(settings),
        *_zones(settings),
        *_addresses(settings),
        *_access(settings),
        *_engine(settings),
        *_labels(settings),
        *_stacks(settings),
    ]


def aws_credentials_problem(_region: str) -> str:
    """Why AWS can't be called, or ``""``: asked of botocore, without calling AWS."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import get_session

    try:
        if get_session().get_credentials() is not None:
            return ""
        reason = "none found"
    except BotoCoreError as error:
        reason = str(error)
    return (
        f"AWS credentials: {reason}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        'AWS_SECRET_ACCESS_KEY; for the lab: eval "$(swarmctl lab env)"'
    )


def _names(s: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", str(s["cluster_name"])):
        yield (
            f"cluster_name is {s['cluster_name']!r}; allowed: at most 31 lower-case letters, "
            "digits and _, starting with a letter"
        )
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", str(s["instance_type"])):
        yield f"instance_type is {s['instance_type']!r}; allowed: an EC2 type such as t3.small"
    for variable, kind in (("vpc_id", "vpc"), ("ami_id", "ami")):
        if s[variable] and not re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", str(s[variable])):
            yield f"{variable} is {s[variable]!r}; allowed: empty, or an id: {kind}-0123abcd"


def _numbers(s: Mapping[str, Any]) -> Iterator[str]:
    if _integer(s["managers"]) not in MANAGERS:
        yield (
            f"managers is {s['managers']}; allowed: 1, 3, 5 or 7 (an even number tolerates no more "
            "failures than the odd one below it)"
        )
    if (_integer(s["workers"]) or 0) < 0 or _integer(s["workers"]) is None:
        yield f"workers is {s['workers']}; allowed: a whole number, 0 or more"
    heartbeat = _integer(s["swarm_dispatcher_heartbeat"])
    if heartbeat is None or not 1 <= heartbeat <= 60:
        yield (
            f"swarm_dispatcher_heartbeat is {s['swarm_dispatcher_heartbeat']}; "
            "allowed: whole seconds from 1 to 60"
        )


def _choices(s: Mapping[str, Any]) -> Iterator[str]:
    for variable, allowed in (
        ("ami_family", AMI_FAMILIES),
        ("docker_engine_source", ENGINE_SOURCES),
    ):
        if s[variable] not in allowed:
            yield f"{variable} is {s[variable]!r}; allowed: {', '.join(allowed)}"


def _zones(s: Mapping[str, Any]) -> Iterator[str]:
    zones, region = s["availability_zones"], s["aws_region"]
    if not zones or len(set(zones)) != len(zones):
        yield f"availability_zones is {zones}; allowed: one or more zones, each once"
    for zone in zones:
        if not str(zone).startswith(region):
            yield (
                f"availability_zones holds {zone!r}, which is not in region {region!r}; allowed: "
                f"zones of that region, such as {region}a (AWS_REGION in the environment wins)"
            )


def _addresses(s: Mapping[str, Any]) -> Iterator[str]:
    vpc, problem = _network("vpc_cidr", s["vpc_cidr"])
    pool, pool_problem = _network("swarm_address_pool", s["swarm_address_pool"])
    yield from filter(None, (problem, pool_problem))
    if vpc is None:
        return
    if not VPC_PREFIXES[0] <= vpc.prefixlen <= VPC_PREFIXES[1]:
        yield f"vpc_cidr is {vpc}; allowed: a prefix from /16 to /28"
    if pool is not None and vpc.overlaps(pool):
        yield (
            f"vpc_cidr {vpc} overlaps swarm_address_pool {pool}; allowed: ranges that have no "
            "address in common"
        )
    for bridge in ENGINE_BRIDGES:
        if vpc.overlaps(bridge):
            yield f"vpc_cidr {vpc} overlaps {bridge}, a bridge of every Engine; allowed: any other"
    yield from _subnets(s, vpc)


def _subnets(s: Mapping[str, Any], vpc: IPv4Network) -> Iterator[str]:
    zones = s["availability_zones"]
    checked = [_network("subnets", subnet["cidr"]) for subnet in s["subnets"]]
    subnets = [network for network, _ in checked if network is not None]
    yield from (problem for _, problem in checked if problem)
    for subnet in s["subnets"]:
        if subnet["az"] not in zones:
            yield f"subnets: {subnet['cidr']} is in {subnet['az']!r}; allowed: {', '.join(zones)}"
    for network in subnets:
        if not network.subnet_of(vpc):
            yield f"subnets: {network} lies outside vpc_cidr {vpc}; allowed: a part of it"
    for one, other in itertools.combinations(subnets, 2):
        if one.overlaps(other):
            yield f"subnets: {one} overlaps {other}; allowed: ranges without a common address"
    if len(s["subnets"]) < len(zones):
        yield (
            f"vpc_cidr {vpc} has room for {len(s['subnets'])} subnets, availability_zones names "
            f"{len(zones)}; allowed: a larger vpc_cidr or fewer zones"
        )
    elif subnets:
        yield from _room(s, subnets)


def _room(s: Mapping[str, Any], subnets: Sequence[IPv4Network]) -> Iterator[str]:
    managers, workers = _integer(s["managers"]), _integer(s["workers"])
    if managers is None or workers is None:
        return
    busiest = -(-(managers + workers) // len(subnets))
    room = min(subnet.num_addresses for subnet in subnets) - RESERVED_ADDRESSES
    if busiest > room:
        yield (
            f"managers + workers is {managers + workers}, {busiest} in one subnet, which has "
            f"{room} addresses; allowed: fewer workers, more zones or a larger vpc_cidr"
        )


def _access(s: Mapping[str, Any]) -> Iterator[str]:
    if not s["admin_cidr"]:
        yield (
            "admin_cidr is missing; allowed: the block SSH comes from, such as 198.51.100.7/32 "
            "(or set SWARMCTL_ADMIN_CIDR)"
        )
    else:
        network, problem = _network("admin_cidr", s["admin_cidr"])
        if network is None:
            yield problem
        elif network.prefixlen == 0:
            yield "admin_cidr is 0.0.0.0/0, the whole internet; allowed: your own block"
        if s["published_cidr"] != s["admin_cidr"]:
            yield _network("published_cidr", s["published_cidr"])[1]
    for port in s["published_ports"]:
        try:
            low, high, _ = _port_range(port)
        except ValueError:
            yield (
                f"published_ports holds {port!r}; allowed: numbers from 1 to 65535 or ranges of "
                "them, with an optional protocol: 80, 8000-8100, 53/udp"
            )
            continue
        for private, use in PRIVATE_PORTS.items():
            if low <= private <= high:
                yield f"published_ports: {port} opens {private} ({use}); allowed: ports of services"


def _engine(s: Mapping[str, Any]) -> Iterator[str]:
    options = s["docker_engine_daemon_options"]
    if options.get("live-restore"):
        yield (
            "docker_engine_daemon_options sets live-restore; allowed: leave it out, Swarm mode "
            "does not work with it"
        )
    if any(str(host).startswith("tcp:") for host in options.get("hosts", ())):
        yield (
            "docker_engine_daemon_options opens the Engine API on TCP; allowed: the socket only "
            "(swarmctl reaches it over SSH)"
        )


def _labels(s: Mapping[str, Any]) -> Iterator[str]:
    allowed = rf"(?:{re.escape(str(s['cluster_name']))}_)?(?:mgr|wkr)[1-9]\d*|managers|workers"
    for key in s["swarm_node_labels"]:
        if not re.fullmatch(allowed, key):
            yield (
                f"swarm_node_labels names {key!r}; allowed: a node "
                f"(wkr1, {s['cluster_name']}_wkr1), managers or workers"
            )


def _stacks(s: Mapping[str, Any]) -> Iterator[str]:
    names = [stack.get("name", "") for stack in s["stacks"]]
    for name in names:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_-]*", str(name)):
            yield f"stacks: name is {name!r}; allowed: letters, digits, _ and -"
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"stacks names {name!r} twice; allowed: each name once"


def _integer(value: Any) -> int | None:
    """``-e workers=3`` gives a string; ``3.5``, ``true`` and ``three`` are not numbers of nodes."""
    return int(value) if re.fullmatch(r"-?\d+", str(value)) else None


def _network(variable: str, text: Any) -> tuple[IPv4Network | None, str]:
    """The network, or why not."""
    try:
        if "/" not in str(text):
            raise ValueError(f"{text!r} has no prefix length")
        return IPv4Network(str(text)), ""
    except ValueError as error:
        return (
            None,
            f"{variable} is {text!r} ({error}); allowed: an IPv4 block such as 10.42.0.0/16",
        )


def _port_range(port: Any) -> tuple[int, int, str]:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", str(port))
    if match is None:
        raise ValueError(port)
    low, high = int(match[1]), int(match[2] or match[1])
    if not 1 <= low <= high <= 65535:
        raise ValueError(port)
    return low, high, match[3] or "tcp"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {
            "plan_subnets": plan_subnets,
            "plan_nodes": plan_nodes,
            "published_rules": published_rules,
            "preflight_errors": lambda s: [e for e in preflight_errors(s) if e],
            "aws_credentials_problem": aws_credentials_problem,
        }
