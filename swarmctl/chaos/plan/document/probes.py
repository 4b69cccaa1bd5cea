"""The probes of an experiment."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from swarmctl.chaos.plan.document.section import Section
from swarmctl.chaos.plan.hypothesis import Tolerance
from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.dns import Dns
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import (
    ALL,
    EVERY_S,
    MAX_UNDER_WAY,
    NONE,
    TIMEOUT_S,
    USER_BAD_FROM,
    USER_EVERY_S,
    FixedProbe,
    PlannedProbe,
    ServiceProbe,
)
from swarmctl.chaos.probes.probe import Client, Probe
from swarmctl.chaos.probes.tcp import Tcp

_KINDS = ("service", "url", "http", "tcp", "dns", "command")
_MIN_EVERY_S = 0.1
_MAX_TIMEOUT_S = 30.0


@dataclass
class Probes:
    """The probes of a document.

    Args:
        planned: the probes.
        tolerances: by the probes' names.
        service: ``none`` if the list is empty, see ``Plan.probe_service``.
        find_urls: whether the load balancer's URLs are to be found: none is listed.
    """

    planned: tuple[PlannedProbe, ...] = ()
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    service: str | None = None
    find_urls: bool = True


def read(hypothesis: Section, within_s: float) -> Probes:
    """Read the probes; mistakes are added to the section's.

    Args:
        hypothesis: the section that lists them.
        within_s: seconds within which each must answer again.
    """
    items = hypothesis.value.get("probes")
    if not isinstance(items, list):
        return Probes()
    found = Probes(service=None if items else "none", find_urls=bool(items))
    listing = Section(hypothesis.source, (*hypothesis.path, "probes"), items, hypothesis.mistakes)
    for index in range(len(items)):
        item = listing.section(index)
        if sum(kind in item.value for kind in _KINDS) != 1:
            continue  # the schema reports it
        if "url" in item.value or item.value.get("service") == NONE:
            found.find_urls = False
        if item.value.get("url") == NONE:
            continue
        probe = _service(item) if "service" in item.value else _fixed(item, within_s)
        if probe is None:
            continue
        if probe.name in [other.name for other in found.planned]:
            item.wrong(
                "service" if "service" in item.value else "name", "another probe has this name"
            )
        found.planned += (probe,)
        tolerance = _tolerance(item)
        if tolerance != Tolerance():
            found.tolerances[probe.name] = tolerance
    return found


def _service(item: Section) -> PlannedProbe | None:
    for key in ("name", "every", "timeout"):
        if key in item.value:
            why = "has the service's name" if key == "name" else "is sent ten times a second"
            item.wrong(key, f"cannot be set: the probe of a service {why}")
    name = item.get("service", "")
    for key in ("path", "status"):
        if name == ALL and key in item.value:
            item.wrong(key, "cannot be the same for all services: list them one by one")
    return ServiceProbe(name, item.get("path", ""), _status(item)) if name else None


def _fixed(item: Section, within_s: float) -> PlannedProbe | None:
    is_url = "url" in item.value
    if "name" not in item.value and not is_url:
        item.wrong("", "needs a name, for the journal and the report")
    for key in ("path", "status"):
        if key in item.value and (key == "path" or not {"http", "url"} & item.value.keys()):
            item.wrong(key, "needs service" + ("" if key == "path" else ", url or http"))
    probe = _probe(item)
    every_s = item.seconds("every", USER_EVERY_S if is_url else EVERY_S)
    timeout_s = item.seconds("timeout", TIMEOUT_S)
    if every_s < _MIN_EVERY_S:
        item.wrong("every", f"is below the minimum of {_MIN_EVERY_S:g} s")
    elif not 0 < timeout_s <= _MAX_TIMEOUT_S:
        item.wrong("timeout", f"must be above 0 s and at most {_MAX_TIMEOUT_S:g} s")
    elif timeout_s > MAX_UNDER_WAY * every_s:
        item.wrong("timeout", f"must be at most {MAX_UNDER_WAY} times every ({every_s:g} s)")
    elif every_s + timeout_s >= within_s:
        item.wrong("every", f"every and timeout together must be below within ({within_s:g} s)")
    if probe is None or not (item.has("name") or is_url):
        return None
    name = item.get("name", probe.address)
    client = Client.LOAD_BALANCER if is_url else Client.NODES_LEFT
    return FixedProbe(name, probe, max(every_s, _MIN_EVERY_S), timeout_s, client)


def _probe(item: Section) -> Probe | None:
    """How it is probed; ``None`` if that is not well formed."""
    if item.has("command"):
        if not item.value["command"][0]:
            item.wrong("command", "the program's name is empty")
        return Command(tuple(item.value["command"]))
    if item.has("tcp"):
        return _tcp(item)
    for key in ("url", "http"):
        if item.has(key):
            return _http(item, key)
    return _dns(item.section("dns")) if item.has("dns") else None


def _tcp(item: Section) -> Probe | None:
    host, _, port = item.value["tcp"].rpartition(":")
    if not 0 < int(port) < 65536:
        item.wrong("tcp", f"{port} is not a port")
    return Tcp(host.removeprefix("[").removesuffix("]"), int(port))


def _http(item: Section, key: str) -> Probe | None:
    try:
        parts = urlsplit(item.value[key])
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host, or no port")
        parts.hostname.encode("idna")
    except ValueError as error:
        item.wrong(key, f"is not a URL: {error}")
        return None
    bad_from = USER_BAD_FROM if key == "url" else 500
    return Http(item.value[key], _status(item), bad_from=bad_from)


def _dns(section: Section) -> Probe | None:
    server, port = section.get("server", ""), 53
    if server.count(":") == 1:
        server, _, number = server.partition(":")
        port = int(number) if number.isdecimal() else 0
    try:
        if server:
            ipaddress.ip_address(server)
        if not 0 < port < 65536:
            raise ValueError("no port")
    except ValueError:
        section.wrong("server", "must be an IP address, or IP:port")
        return None
    return Dns(
        section.get("name", ""),
        server,
        port,
        section.get("type", "A"),
        section.get("answer", ""),
    )


def _status(item: Section) -> tuple[int, ...]:
    value = item.get("status", ())
    return (value,) if isinstance(value, int) else tuple(value)


def _tolerance(item: Section) -> Tolerance:
    success = item.percent("success", None)
    return Tolerance(
        None if success is None else success / 100, item.seconds("longest-outage", None)
    )
