"""Where to listen, bound before anything is started, so that errors come at once."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from swarmctl.errors import SwarmctlError, UsageError


@dataclass(frozen=True, slots=True)
class Place:
    """An IP address and a port; 0 for any free one."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.address).is_loopback


def parse_place(text: str, option: str) -> Place:
    """The place of an option's value.

    Args:
        text: ``127.0.0.1:8500`` or ``[::1]:8500``.
        option: for the error.

    Raises:
        UsageError: it is none.
    """
    address, _, port = text.rpartition(":")
    try:
        place = Place(str(ipaddress.ip_address(address.strip("[]"))), int(port))
        if 0 <= place.port < 65536:
            return place
    except ValueError:  # the error below says what it should be
        pass
    raise UsageError(f"{option} {text}: not an address and a port", "write 127.0.0.1:8500")


def listen_tcp(place: Place, option: str) -> socket.socket:
    """A bound, listening TCP socket."""
    return _bind(place, socket.SOCK_STREAM, option)


def listen_dns(place: Place, option: str) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port."""
    tcp = _bind(place, socket.SOCK_STREAM, option)
    port = tcp.getsockname()[1]
    try:
        return _bind(Place(place.address, port), socket.SOCK_DGRAM, option), tcp
    except SwarmctlError:
        tcp.close()
        raise


def _bind(place: Place, kind: socket.SocketKind, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((place.address, place.port))
        if kind is socket.SOCK_STREAM:
            bound.listen(1024)
    except OSError as fault:
        bound.close()
        protocol = "TCP" if kind is socket.SOCK_STREAM else "UDP"
        raise SwarmctlError(
            f"cannot listen on {place} ({protocol}): {fault.strerror}",
            f"is another agent running here? choose another place: {option} ADDRESS:PORT",
        ) from fault
    return bound
