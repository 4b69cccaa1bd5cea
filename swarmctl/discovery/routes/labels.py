"""How a service is put behind a load balancer: its labels ``swarmctl.http.…``; see
docs/load-balancing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from swarmctl.discovery.labels import LabelError
from swarmctl.discovery.routes import values
from swarmctl.reading.names import suggestion
from swarmctl.swarm.model import Service

PREFIX = "swarmctl.http."
MAX_VALUES = 5  # paths and hosts of a rule together
MAX_PRIORITY = 50_000


@dataclass(frozen=True, slots=True)
class Setting:
    """A label that is a setting of the target group.

    Attributes:
        aws: a field of ModifyTargetGroup, or (in small letters) a key of its attributes.
        default: the value without the label.
        read: reads the label's value.
    """

    aws: str
    default: str
    read: Callable[[str], str]


SETTINGS: Mapping[str, Setting] = {
    "health-path": Setting("HealthCheckPath", "/", values.plain_path),
    "health-interval": Setting("HealthCheckIntervalSeconds", "10", values.time(5, 300)),
    "health-timeout": Setting("HealthCheckTimeoutSeconds", "5", values.time(2, 120)),
    "health-codes": Setting("Matcher", "200-399", values.codes),
    "healthy-threshold": Setting("HealthyThresholdCount", "2", values.number(2, 10)),
    "unhealthy-threshold": Setting("UnhealthyThresholdCount", "2", values.number(2, 10)),
    "deregistration-delay": Setting(
        "deregistration_delay.timeout_seconds", "30", values.time(0, 3600)
    ),
    "sticky": Setting("stickiness.enabled", "false", values.yes_or_no),
    "sticky-time": Setting(
        "stickiness.lb_cookie.duration_seconds", "86400", values.time(1, 604_800)
    ),
    "slow-start": Setting("slow_start.duration_seconds", "0", values.time(30, 900, or_zero=True)),
    "algorithm": Setting(
        "load_balancing.algorithm.type",
        "round_robin",
        values.one_of("round_robin", "least_outstanding_requests", "weighted_random"),
    ),
}
KEYS = ("path", "host", "strip-prefix", "priority", "port", *SETTINGS)


@dataclass(frozen=True, slots=True)
class Route:
    """What a load balancer forwards to a service.

    Attributes:
        service: the Swarm's name.
        port: the target port.
        paths: patterns, sorted; at least one.
        hosts: patterns, sorted; none for every host.
        strip_prefix: what is cut off the front of a request's path, or ``""``.
        priority: of its rule; 0: derived from its paths and hosts.
        settings: of its target group, in AWS's names, sorted.
    """

    service: str
    port: int
    paths: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    strip_prefix: str = ""
    priority: int = 0
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def conditions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a request must have."""
        return self.hosts, self.paths


def has_route(labels: Iterable[str]) -> bool:
    """Whether any label asks for a load balancer."""
    return any(label.startswith(PREFIX) for label in labels)


def route(service: Service, main_port: int) -> Route | None:
    """The route of a service's labels, or ``None`` without any.

    Args:
        service: whose labels.
        main_port: the target port without the label ``port``.

    Raises:
        LabelError: a label's value cannot be used; names the label.
    """
    if not has_route(service.labels):
        return None
    targets = [p.target for p in service.ports if p.protocol == "tcp"]
    return parse(service.name, service.labels, targets, main_port, service.probe_path)


def parse(
    service: str, labels: Mapping[str, str], targets: Iterable[int], main: int, probe_path: str
) -> Route:
    """See :func:`route`; for labels that are not in a Swarm yet.

    Args:
        service: its name.
        labels: all of its labels.
        targets: the target ports that it publishes with TCP.
        main: the one without the label ``port``; 0 for the lowest.
        probe_path: the health check's path without the label ``health-path``.
    """
    given = {k.removeprefix(PREFIX): v.strip() for k, v in labels.items() if k.startswith(PREFIX)}
    for key in given:
        if key not in KEYS:
            raise LabelError(f"{PREFIX}{key}: there is no such label; {_near(key)}")
    paths, hosts = _list(given, "path", values.path), _list(given, "host", values.host)
    if not paths and not hosts:
        raise LabelError(f"set {PREFIX}path or {PREFIX}host: without one, no request is forwarded")
    paths = paths or ("/*",)
    if len(paths) + len(hosts) > MAX_VALUES:
        raise LabelError(
            f"{PREFIX}path and {PREFIX}host have {len(paths)} + {len(hosts)} values: a rule of a "
            f"load balancer has at most {MAX_VALUES} together"
        )
    strip = _one(given, "strip-prefix", values.plain_path, "").rstrip("/")
    for each in paths if strip else ():
        if each != strip and not each.startswith(f"{strip}/"):
            raise LabelError(f"{PREFIX}strip-prefix={strip}: the path {each} is not below it")
    return Route(
        service,
        _port(given, targets, main),
        paths,
        hosts,
        strip,
        int(_one(given, "priority", values.number(1, MAX_PRIORITY), "0")),
        _settings(given, probe_path),
    )


def _near(key: str) -> str:
    return suggestion(key, KEYS) or f"known: {', '.join(KEYS)}"


def _one(given: Mapping[str, str], key: str, read: Callable[[str], str], default: str) -> str:
    if key not in given:
        return default
    try:
        return read(given[key])
    except LabelError as fault:
        raise LabelError(f"{PREFIX}{key}={given[key]}: {fault}") from fault


def _list(given: Mapping[str, str], key: str, read: Callable[[str], str]) -> tuple[str, ...]:
    items = (_one({key: item}, key, read, "") for item in values.listed(given.get(key, "")))
    return tuple(sorted(set(items)))


def _port(given: Mapping[str, str], targets: Iterable[int], main: int) -> int:
    published = sorted(set(targets))
    if not published:
        raise LabelError(f"{PREFIX}…: the service publishes no TCP port: add one under ports")
    known = ", ".join(map(str, published))
    wanted = _one(given, "port", values.number(1, 65_535), "")
    if wanted and int(wanted) not in published:
        raise LabelError(f"{PREFIX}port={wanted}: no such target port is published; known: {known}")
    return int(wanted) if wanted else main if main in published else published[0]


def _settings(given: Mapping[str, str], probe_path: str) -> tuple[tuple[str, str], ...]:
    found = {key: _one(given, key, s.read, s.default) for key, s in SETTINGS.items()}
    if "health-path" not in given and probe_path:
        found["health-path"] = probe_path
    interval = int(found["health-interval"])
    if "health-timeout" not in given:
        found["health-timeout"] = str(min(int(found["health-timeout"]), interval - 1))
    if int(found["health-timeout"]) >= interval:
        raise LabelError(
            f"{PREFIX}health-timeout={found['health-timeout']}: it must be less than the interval, "
            f"{interval} s"
        )
    if found["slow-start"] != "0" and found["algorithm"] != "round_robin":
        raise LabelError(f"{PREFIX}slow-start: only the algorithm round_robin has it")
    return tuple(sorted((SETTINGS[key].aws, text) for key, text in found.items()))
