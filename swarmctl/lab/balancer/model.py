"""A load balancer as plain data: what the API says, and what its machine shall do."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.lab.balancer.health import TRAFFIC_PORT


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target with an address."""

    name: str  # "ID:PORT", as registered
    address: str
    port: int
    registered: float  # Unix time: a target that was registered again is a new one
    draining: bool = False


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a target group's targets are checked. Durations are in seconds."""

    path: str = "/"
    port: str = TRAFFIC_PORT
    tls: bool = False
    codes: str = "200"  # such as "200,301-399"
    interval: int = 30
    timeout: int = 5
    healthy: int = 5
    unhealthy: int = 2


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group that a rule of the load balancer forwards to."""

    key: str  # its name in HAProxy
    check: HealthCheck
    targets: tuple[Target, ...] = ()
    tls: bool = False
    algorithm: str = "round_robin"
    sticky_s: int = 0  # how long the load balancer's cookie lasts, 0: no cookie


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule; it holds if any value matches."""

    field: str  # as in the API, such as "path-pattern"
    values: tuple[str, ...] = ()
    header: str = ""  # where ``field`` is "http-header"
    pairs: tuple[tuple[str, str], ...] = ()  # key and value, where it is "query-string"


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward to one of the target groups, chosen by weight."""

    groups: tuple[tuple[str, int], ...]  # key, weight


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with another location."""

    location: str  # with #{protocol}, #{host}, #{port}, #{path}, #{query}
    status: int


@dataclass(frozen=True, slots=True)
class FixedResponse:
    """Answer without a target."""

    status: int
    content_type: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A transform: a regular expression, and what replaces its first match."""

    of: str  # "url-rewrite" (path and query) or "host-header-rewrite"
    regex: str
    replace: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a listener; the default rule has no conditions."""

    action: Forward | Redirect | FixedResponse
    conditions: tuple[Condition, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that the load balancer listens on."""

    port: int
    rules: tuple[Rule, ...]  # in the order of their priorities, the default rule last
    certificates: tuple[str, ...] = ()  # PEM: key and chain; none: plain HTTP


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """An application load balancer: the desired state of its machine."""

    id: str
    name: str
    address: str
    vpc: str
    groups: tuple[str, ...]  # ids of its security groups
    listeners: tuple[Listener, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    idle_s: int = 60
