"""Asks this computer's own resolver about names that are none of the VPC's.

The same names could be resolved before, by Docker's resolver: images from Docker Hub need it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

TIMEOUT = 2.0  # seconds
# A server that did not answer is not asked for so long: without a network, names fail at once.
SILENCE = 30.0  # seconds


class Upstream:
    """The resolvers of this computer."""

    def __init__(
        self,
        servers: Callable[[], Sequence[str]] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``servers`` gives their addresses; the default reads ``/etc/resolv.conf``."""
        self._servers = servers or configured
        self._now = now
        self._silent: dict[str, float] = {}

    def ask(self, query: dns.message.Message) -> dns.message.Message:
        """The first answer of a server; SERVFAIL if none answers."""
        for server in self._servers():
            if self._silent.get(server, 0.0) > self._now():
                continue
            try:
                found, _ = dns.query.udp_with_fallback(query, server, timeout=TIMEOUT)
            except (dns.exception.DNSException, OSError, ValueError):
                self._silent[server] = self._now() + SILENCE
            else:
                return found
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(dns.rcode.SERVFAIL)
        return reply


def configured(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """The servers that a resolv.conf names."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    return [w[1] for line in lines if len(w := line.split()) > 1 and w[0] == "nameserver"]
