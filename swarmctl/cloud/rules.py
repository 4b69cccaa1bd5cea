"""The rules of a cluster's security groups. Pure.

The one source for the role ``ec2_security_groups``, which sets them, and for ``swarmctl``, which
compares them with those in EC2. https://docs.docker.com/engine/swarm/networking/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

# Sources of rules beside address blocks: a cluster's nodes; its managers; its load balancer.
NODES = "the nodes"
MANAGERS = "the managers"
LOAD_BALANCER = "the load balancer"
EVERYONE = ("0.0.0.0/0", "::/0")
MANAGER, WORKER = "manager", "worker"

ADMIN_CIDR, PUBLISHED_PORTS, PUBLISHED_CIDR, LOAD_BALANCER_CIDRS, SSH_JUMP = (
    "swarmctl:admin-cidr", "swarmctl:published-ports", "swarmctl:published-cidr",
    "swarmctl:load-balancer-cidrs", "swarmctl:ssh-jump",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """Who may reach which ports.

    Attributes:
        protocol: ``tcp``, ``udp``, ``icmp``, ``all`` or a number.
        low: the first port; -1 for a protocol without ports.
        high: the last port.
        source: an address block, :data:`NODES`, :data:`MANAGERS`, :data:`LOAD_BALANCER`, or the id
            of a group.
        use: what it is for.
    """

    protocol: str
    low: int
    high: int
    source: str
    use: str = field(default="", compare=False)

    def covers(self, protocol: str, port: int) -> bool:
        """Whether it opens this port to its source."""
        if self.protocol == "all":
            return True
        return self.protocol == protocol and self.low <= port <= self.high

    @property
    def is_block(self) -> bool:
        """Whether its source is an address block."""
        return "/" in self.source

    def __str__(self) -> str:
        ports = "" if self.low < 0 else f"{self.low}" if self.low == self.high else ""
        ports = ports or ("" if self.low < 0 else f"{self.low}-{self.high}")
        what = f"{ports}/{self.protocol}" if ports else f"protocol {self.protocol}"
        return f"{what} from {self.source}" + (f" ({self.use})" if self.use else "")


# Overlay traffic also flows from worker to worker. ESP carries encrypted overlays; without it DNS
# works and connections hang (https://github.com/moby/moby/issues/25266).
DATA_PLANE = (
    Rule("tcp", 7946, 7946, NODES, "Gossip between nodes"),
    Rule("udp", 7946, 7946, NODES, "Gossip between nodes"),
    Rule("udp", 4789, 4789, NODES, "Overlay networks (VXLAN)"),
    Rule("50", -1, -1, NODES, "Encrypted overlay networks (ESP)"),
)
# Membership and Raft.
CONTROL_PLANE = Rule("tcp", 2377, 2377, NODES, "Swarm management")
SSH = ("tcp", 22)
# Consul's HTTP API and DNS of the agent, which runs on a manager: for the cluster's nodes only.
CATALOGUE = (
    Rule("tcp", 8500, 8500, NODES, "Service catalogue (HTTP)"),
    Rule("tcp", 8600, 8600, NODES, "Service catalogue (DNS)"),
    Rule("udp", 8600, 8600, NODES, "Service catalogue (DNS)"),
)
# Host ports without a number of their own: the Engine chooses from the kernel's ephemeral ports.
DYNAMIC_PORTS = (32768, 60999)
LISTENERS = (80, 443)


@dataclass(frozen=True, slots=True)
class Openings:
    """What a cluster opens to the outside.

    Attributes:
        admin_cidr: the source of SSH connections.
        published_ports: ``80``, ``8000-8100``, ``53/udp``.
        published_cidr: the source of connections to published ports.
        load_balancer_cidrs: sources of connections to the load balancer; none: there is none. With
            one, the nodes' published TCP ports are open to it alone.
        through_managers: whether SSH to workers comes from the managers instead.
    """

    admin_cidr: str
    published_ports: tuple[str, ...] = ()
    published_cidr: str = ""
    load_balancer_cidrs: tuple[str, ...] = ()
    through_managers: bool = False

    def tags(self) -> dict[str, str]:
        """As tags of the groups, so that every operator's machine can compare."""
        balancer = {LOAD_BALANCER_CIDRS: " ".join(self.load_balancer_cidrs)}
        return {
            ADMIN_CIDR: self.admin_cidr,
            PUBLISHED_PORTS: " ".join(self.published_ports),
            PUBLISHED_CIDR: self.published_cidr,
            **(balancer if self.load_balancer_cidrs else {}),
            **({SSH_JUMP: "managers"} if self.through_managers else {}),
        }


def openings_of(tags: Mapping[str, str]) -> Openings | None:
    """What the playbooks opened, from a group's tags; ``None`` if it does not have them."""
    if not {ADMIN_CIDR, PUBLISHED_PORTS, PUBLISHED_CIDR} <= set(tags):
        return None
    ports = tuple(tags[PUBLISHED_PORTS].split())
    balancer = tuple(tags.get(LOAD_BALANCER_CIDRS, "").split())
    through = tags.get(SSH_JUMP) == "managers"
    return Openings(tags[ADMIN_CIDR], ports, tags[PUBLISHED_CIDR], balancer, through)


def group_name(cluster: str, role: str) -> str:
    """The name of the security group of a cluster's managers, workers or load balancer."""
    return f"{cluster}_{_SHORT[role]}_sg"


_SHORT = {MANAGER: "mgr", WORKER: "wkr", LOAD_BALANCER: "alb"}


def wanted_rules(role: str, openings: Openings) -> tuple[Rule, ...]:
    """The rules of the managers', the workers' or the load balancer's group."""
    if role == LOAD_BALANCER:
        return tuple(
            Rule("tcp", port, port, cidr, "Load balancer")
            for port in LISTENERS
            for cidr in openings.load_balancer_cidrs
        )
    control = (CONTROL_PLANE, *CATALOGUE) if role == MANAGER else ()
    inside = openings.through_managers and role == WORKER
    ssh = Rule(SSH[0], SSH[1], SSH[1], MANAGERS if inside else openings.admin_cidr, "SSH")
    return (*DATA_PLANE, ssh, *_published(openings), *control)


def _published(openings: Openings) -> Iterator[Rule]:
    ranges = [*map(port_range, openings.published_ports)]
    dynamic = (*DYNAMIC_PORTS, "tcp")
    if openings.load_balancer_cidrs and dynamic not in ranges:
        ranges.append(dynamic)
    for low, high, protocol in ranges:
        balanced = openings.load_balancer_cidrs and protocol == "tcp"  # it knows no UDP
        source = LOAD_BALANCER if balanced else openings.published_cidr
        yield Rule(protocol, low, high, source, "Published service ports")


def port_range(port: object) -> tuple[int, int, str]:
    """The first port, the last port and the protocol of ``80``, ``8000-8100`` or ``53/udp``.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", str(port))
    if match is None:
        raise ValueError(port)
    low, high = int(match[1]), int(match[2] or match[1])
    if not 1 <= low <= high <= 65535:
        raise ValueError(port)
    return low, high, match[3] or "tcp"


def is_open_to_ssh_clients(rules: Iterable[Rule], protocol: str, port: int) -> bool:
    """Whether every address that may use SSH, such as this machine's, may reach this port."""
    blocks = [rule for rule in rules if rule.is_block]
    ours = [ip_network(rule.source) for rule in blocks if rule.covers(*SSH)]
    there = [ip_network(rule.source) for rule in blocks if rule.covers(protocol, port)]
    return bool(ours) and all(
        any(
            own.version == wide.version and own.subnet_of(wide)  # type: ignore[arg-type]  # same version
            for wide in there
        )
        for own in ours
    )
