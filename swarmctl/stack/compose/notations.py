"""The short notations of a compose file, read as the docker CLI reads them.

Ports (go-connections/nat), volumes (docker/cli cli/compose/loader/volume.go), shell words
(google/shlex) and environment files (docker/cli kvfile); sizes and durations are in
``swarmctl.reading.quantities``.
Every function raises ``NotationError`` with words for a person where the docker CLI fails.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass


class NotationError(ValueError):
    """A text that the docker CLI cannot read."""


# --- ports ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PortSpec:
    """One published port; ``published`` is 0 when the Swarm chooses it."""

    target: int
    published: int
    protocol: str = "tcp"
    mode: str = "ingress"
    host_ip: str = ""  # written in the file, and ignored by Swarm


def port_number(number: float) -> list[PortSpec]:
    """What a port without quotes stands for."""
    check_written_whole(number)
    return ports(str(number))


def ports(text: str) -> list[PortSpec]:
    """What ``[[IP:]PUBLISHED:]TARGET[/PROTOCOL]`` stands for; ranges give several ports."""
    head, _, last = text.rpartition(":")
    host_ip, _, published = head.rpartition(":")
    target, _, protocol = last.partition("/")
    protocol = protocol.partition("/")[0].lower() or "tcp"
    _check_ip(host_ip)
    if not target:
        raise NotationError(f"no container port in {text!r}")
    first, final = _port_range(target, "container port")
    if protocol not in ("tcp", "udp", "sctp"):
        raise NotationError(f"unknown protocol {protocol!r} in {text!r}")
    if not published:
        return [PortSpec(port, 0, protocol, host_ip=host_ip) for port in range(first, final + 1)]
    low, high = _port_range(published, "published port")
    if first == final:
        return [PortSpec(first, port, protocol, host_ip=host_ip) for port in range(low, high + 1)]
    if high - low != final - first:
        raise NotationError(f"the ranges {published} and {target} are not equally long")
    return [
        PortSpec(first + step, low + step, protocol, host_ip=host_ip)
        for step in range(final - first + 1)
    ]


def _check_ip(text: str) -> None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return
    try:
        ipaddress.ip_address(bare)
    except ValueError as fault:
        raise NotationError(f"{text!r} is not an IP address") from fault
    if "%" in bare:
        raise NotationError(f"{text!r} is not an IP address")


def _port_range(text: str, what: str) -> tuple[int, int]:
    first, dash, rest = text.partition("-")
    final = rest.partition("-")[0] if dash else first
    for number in (first, final):
        if not re.fullmatch("[0-9]+", number, re.ASCII) or int(number) > 65535:
            raise NotationError(f"{text!r} is not a {what} (0 to 65535)")
    if int(final) < int(first):
        raise NotationError(f"the range {text!r} runs backwards")
    return int(first), int(final)


# --- volumes --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A mount in its short form."""

    type: str  # "volume" or "bind"
    source: str
    target: str
    read_only: bool = False


def volume(text: str) -> VolumeSpec:
    """What ``[SOURCE:]TARGET[:OPTIONS]`` stands for; drive letters keep their colon."""
    if not text:
        raise NotationError("an empty volume")
    if len(text.encode()) <= 2:
        return VolumeSpec("volume", "", text)
    parts = _volume_parts(text)
    if any(not part for part in parts):
        raise NotationError(f"an empty section between colons in {text!r}")
    if len(parts) > 3:
        raise NotationError(f"too many colons in {text!r}")
    if len(parts) == 1:
        return VolumeSpec("volume", "", parts[0])
    options = parts[2].split(",") if len(parts) == 3 else []
    access = [option for option in options if option in ("ro", "rw")]
    read_only = bool(access) and access[-1] == "ro"
    return VolumeSpec(
        "bind" if is_path(parts[0]) else "volume", parts[0], parts[1], read_only=read_only
    )


def _volume_parts(text: str) -> list[str]:
    parts = [""]
    for char in text:
        if char != ":" or (len(parts[-1]) == 1 and parts[-1].isalpha()):
            parts[-1] += char
        else:
            parts.append("")
    return parts


def is_path(source: str) -> bool:
    """Whether a volume's source is a path on the node, and not a volume's name."""
    if source[0] in "./~":
        return True
    return source.startswith("\\\\") or (source[0].isalpha() and source[1:2] == ":")


# --- numbers --------------------------------------------------------------------------------------


def check_not_negative(number: float) -> None:
    """Raise ``NotationError`` for a number below 0."""
    if number < 0:
        raise NotationError(f"{number} is negative")


def check_written_whole(number: float) -> None:
    """Raise ``NotationError`` for a number with a decimal point, be it ``2.0``."""
    if isinstance(number, float):
        raise NotationError(f"{number} must be written without a decimal point")


def refuse_number(number: float) -> None:
    """Raise ``NotationError``: the value must be a string."""
    raise NotationError(f"must be a string such as '64M', not the number {number}")


# --- words and environment files ------------------------------------------------------------------


def check_words(text: str) -> None:
    """Raise ``NotationError`` if a command line has an open quote or ends in a backslash."""
    quote, in_word, position = "", False, 0
    while position < len(text):
        char = text[position]
        if char == "\\" and quote != "'":
            position += 1
            if position >= len(text):
                raise NotationError("the command ends in a backslash")
            in_word = True
        elif quote:
            quote = "" if char == quote else quote
        elif char == "#" and not in_word:
            position = text.find("\n", position)
            if position == -1:
                return
        elif char in "'\"":
            quote, in_word = char, True
        else:
            in_word = char not in " \t\r\n"
        position += 1
    if quote:
        raise NotationError(f"the command has a {quote} that is never closed")


def env_file(data: bytes) -> dict[str, str | None]:
    """The variables of an environment file; ``None`` is taken from the deployer's shell."""
    variables: dict[str, str | None] = {}
    for number, line in enumerate(data.split(b"\n"), start=1):
        if len(line) >= 64 * 1024:
            raise NotationError(f"line {number} is longer than 64 KiB")
        try:
            text = line.decode().removeprefix("\ufeff" if number == 1 else "").lstrip(" \t")
        except UnicodeDecodeError as fault:
            raise NotationError(f"line {number} is not UTF-8") from fault
        text = text.removesuffix("\r")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not name:
            raise NotationError(f"line {number} has no variable name")
        if " " in name or "\t" in name:
            raise NotationError(f"line {number}: the name {name!r} contains white space")
        variables[name] = value if equals else None
    return variables
