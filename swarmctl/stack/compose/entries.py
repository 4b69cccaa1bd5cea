"""Entries of a service's lists and maps: their notations made one, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from swarmctl.reading.yaml_nodes import Path
from swarmctl.stack.compose import notations
from swarmctl.stack.compose.origins import Place
from swarmctl.stack.compose.scalars import Value, spelled

# A value, and where it is written.
Entry: TypeAlias = tuple[Value, Place]
PlaceOf: TypeAlias = Callable[[Path], Place]


def items(value: Value, path: Path, place_of: PlaceOf) -> list[Entry]:
    """A list's items; a single value is a list of one."""
    if isinstance(value, list):
        return [(item, place_of((*path, index))) for index, item in enumerate(value)]
    return [] if value is None else [(value, place_of(path))]


def pairs(value: Value, path: Path, place_of: PlaceOf) -> dict[str, Entry]:
    """Names and values, written as a map or as a list of ``NAME=value``."""
    if isinstance(value, dict):
        return {name: (item, place_of((*path, name))) for name, item in value.items()}
    found = {}
    for item, place in items(value, path, place_of):
        name, equals, text = str(item).partition("=")
        found[name] = (text if equals else None, place)
    return found


def with_filled(base: dict[str, Entry], over: dict[str, Entry]) -> dict[str, Entry]:
    """The pairs of both; an empty value does not override one that is filled."""
    taken = {
        name: entry
        for name, entry in over.items()
        if entry[0] not in (None, "") or name not in base or base[name][0] in (None, "")
    }
    return base | taken


def attachment(value: Value) -> dict[str, Value]:
    """What an override changes of a service's attachment to a network."""
    keys = ("aliases", "ipv4_address", "ipv6_address")
    given = value if isinstance(value, dict) else {}
    return {key: given[key] for key in keys if given.get(key)}


def single_ports(value: Value) -> list[Value]:
    """An entry of ``ports``; one that stands for several is taken apart."""
    if not isinstance(value, str):
        return [value]
    try:
        ports = notations.ports(value)
    except notations.NotationError:
        return [value]  # refused already
    if len(ports) == 1:
        return [value]
    return [
        f"{port.host_ip}:{port.published or ''}:{port.target}/{port.protocol}".lstrip(":")
        for port in ports
    ]


def _published(port: Value) -> int:
    if isinstance(port, dict):
        number = port.get("published")
        return int(number) if isinstance(number, int | float) else 0
    try:
        return notations.ports(str(port))[0].published
    except notations.NotationError:
        return 0


def _target(volume: Value) -> str:
    if isinstance(volume, dict):
        return str(volume.get("target") or "")
    try:
        return notations.volume(str(volume)).target
    except notations.NotationError:
        return ""


def _source(reference: Value) -> str:
    return str(reference.get("source") or "") if isinstance(reference, dict) else str(reference)


# By what two entries of a service's list are the same one.
IDENTITIES: dict[str, Callable[[Value], Value]] = {
    "ports": _published,
    "volumes": _target,
    "secrets": _source,
    "configs": _source,
}


def hosts(value: Value) -> Value:
    if not isinstance(value, dict):
        return value
    return sorted(f"{name}:{'' if item is None else spelled(item)}" for name, item in value.items())


def context(build: Value) -> dict[str, Value]:
    return build if isinstance(build, dict) else {"context": build}
