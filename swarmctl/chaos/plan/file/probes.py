"""The probes of an experiment file."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from swarmctl.chaos.plan.file.sections import Section
from swarmctl.chaos.plan.hypothesis import Tolerance
from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.dns import Dns
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import (
    ALL,
    EVERY_S,
    MAX_UNDER_WAY,
    TIMEOUT_S,
    FixedProbe,
    PlannedProbe,
    ServiceProbe,
)
from swarmctl.chaos.probes.probe import Probe
from swarmctl.chaos.probes.tcp import Tcp

_KINDS = ("service", "http", "tcp", "dns", "command")
_LEAST_EVERY_S = 0.1
_MOST_TIMEOUT_S = 30.0


@dataclass
class Probes:
    """What a file says about probes.

    Args:
        listed: the probes.
        tolerances: by their names.
        service: ``none`` when the file's list is empty, see ``Plan.probe_service``.
    """

    listed: tuple[PlannedProbe, ...] = ()
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    service: str | None = None


def read(hypothesis: Section, within_s: float) -> Probes:
    """Read them; what is wrong is added to the section's flaws.

    Args:
        hypothesis: the section they are in.
        within_s: seconds in which each must answer again.
    """
    items = hypothesis.value.get("probes")
    if not isinstance(items, list):
        return Probes()
    found = Probes(service=None if items else "none")
    listing = Section(hypothesis.document, (*hypothesis.place, "probes"), items, hypothesis.flaws)
    for index in range(len(items)):
        item = listing.section(index)
        if sum(kind in item.value for kind in _KINDS) != 1:
            continue  # the schema has said so
        probe = _service(item) if "service" in item.value else _custom(item, within_s)
        if probe is None:
            continue
        if probe.name in [other.name for other in found.listed]:
            item.wrong(
                "service" if "service" in item.value else "name", "there are two of this name"
            )
        found.listed += (probe,)
        tolerance = _tolerance(item)
        if tolerance != Tolerance():
            found.tolerances[probe.name] = tolerance
    return found


def _service(item: Section) -> PlannedProbe | None:
    for key in ("name", "every", "timeout"):
        if key in item.value:
            text = "is named after it" if key == "name" else "is asked ten times a second for 2 s"
            item.wrong(key, f"leave this out: a service's probe {text}")
    name = item.get("service", "")
    for key in ("path", "status"):
        if name == ALL and key in item.value:
            item.wrong(key, "cannot be the same for all services: list them one by one")
    return ServiceProbe(name, item.get("path", ""), _status(item)) if name else None


def _custom(item: Section, within_s: float) -> PlannedProbe | None:
    if "name" not in item.value:
        item.wrong("", "needs a name, for the journal and the report")
    for key in ("path", "status"):
        if key in item.value and (key == "path" or "http" not in item.value):
            item.wrong(key, "goes with a service" + ("" if key == "path" else " or with http"))
    how = _how(item)
    every_s, timeout_s = item.seconds("every", EVERY_S), item.seconds("timeout", TIMEOUT_S)
    if every_s < _LEAST_EVERY_S:
        item.wrong("every", f"must be {_LEAST_EVERY_S:g} s or more")
    elif not 0 < timeout_s <= _MOST_TIMEOUT_S:
        item.wrong("timeout", f"must be over 0 and up to {_MOST_TIMEOUT_S:g} s")
    elif timeout_s > MAX_UNDER_WAY * every_s:
        item.wrong("timeout", f"must not be over {MAX_UNDER_WAY} times every ({every_s:g} s)")
    elif every_s + timeout_s >= within_s:
        item.wrong("every", f"every and timeout leave no time for an answer within {within_s:g} s")
    if how is None or not item.has("name"):
        return None
    return FixedProbe(item.value["name"], how, max(every_s, _LEAST_EVERY_S), timeout_s)


def _how(item: Section) -> Probe | None:
    """What is asked; ``None`` when the file has it wrong."""
    if item.has("command"):
        if not item.value["command"][0]:
            item.wrong("command", "the program has no name")
        return Command(tuple(item.value["command"]))
    if item.has("tcp"):
        return _tcp(item)
    if item.has("http"):
        return _http(item)
    return _dns(item.section("dns")) if item.has("dns") else None


def _tcp(item: Section) -> Probe | None:
    host, _, port = item.value["tcp"].rpartition(":")
    if not 0 < int(port) < 65536:
        item.wrong("tcp", f"{port} is no port")
    return Tcp(host.removeprefix("[").removesuffix("]"), int(port))


def _http(item: Section) -> Probe | None:
    try:
        parts = urlsplit(item.value["http"])
        if not parts.hostname or parts.port == 0:
            raise ValueError("no host, or no port")
        parts.hostname.encode("idna")
    except ValueError as fault:
        item.wrong("http", f"is no address: {fault}")
        return None
    return Http(item.value["http"], _status(item))


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
        section.wrong("server", "must be an IP address, perhaps with :port")
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
