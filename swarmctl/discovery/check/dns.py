"""Asks the DNS of an agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from swarmctl.discovery.check.consul_api import unusable
from swarmctl.discovery.check.source import Published
from swarmctl.discovery.listeners.sockets import Place

_TIMEOUT_S = 3.0
_ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_TRIES = 3  # a datagram may get lost; every resolver asks again


@dataclass(frozen=True, slots=True)
class Dns:
    """See :class:`swarmctl.discovery.check.source.Source`.

    Args:
        place: where it listens.
        domain: that it answers for.
    """

    place: Place
    domain: str
    name: str = "DNS"
    every_s: float = 0.2

    def ask(self, names: Collection[str]) -> Published:
        """What it names, for these names: a zone cannot be listed."""
        try:
            places = {
                name: _resolve(self.place, f"{name}.service.{self.domain}")
                for name in sorted(names)
            }
        except (dns.exception.DNSException, OSError) as fault:
            why = unusable(self.place, str(fault) or type(fault).__name__)
            return Published(self.name, fault=why)
        return Published(self.name, places)


def _resolve(place: Place, name: str) -> frozenset[str]:
    found = _query(place, name, "SRV")
    addresses: dict[Any, str] = {
        rrset.name: rrset[0].address for rrset in found.additional if rrset.rdtype in _ADDRESSES
    }
    records = [
        record for rrset in found.answer if rrset.rdtype == dns.rdatatype.SRV for record in rrset
    ]
    for record in records:
        if record.target not in addresses:  # left out, because the answer was too large
            for rrset in _query(place, record.target.to_text(), "A").answer:
                if rrset.rdtype in _ADDRESSES:
                    addresses[record.target] = rrset[0].address
    return frozenset(
        str(Place(addresses[record.target], record.port))
        for record in records
        if record.target in addresses
    )


def _query(place: Place, name: str, kind: str) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0)
    for left in reversed(range(_TRIES)):
        try:
            found, _ = dns.query.udp_with_fallback(query, place.address, _TIMEOUT_S, place.port)
            break
        except dns.exception.Timeout:
            if not left:
                raise
    if found.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise OSError(f"{name}: {dns.rcode.to_text(found.rcode())}")
    return found
