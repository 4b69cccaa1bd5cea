"""Asks the publishers and the endpoints themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import requests

from swarmctl.discovery.check.compare import Published
from swarmctl.discovery.endpoint import Endpoint
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.http import Answer, get_or_connect

_TIMEOUT_S = 3.0
_TRIES = 3  # a datagram may get lost; every resolver asks again
_PARALLEL = 16


def ask_consul(place: Place) -> Published:
    """What the Consul API names."""
    base = f"http://{place}/v1"
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy
            listed = session.get(f"{base}/catalog/services", timeout=_TIMEOUT_S)
            listed.raise_for_status()
            places = {
                str(name): _places(
                    session.get(f"{base}/health/service/{name}?passing", timeout=_TIMEOUT_S)
                )
                for name in listed.json()
            }
    except (requests.exceptions.RequestException, ValueError, KeyError, TypeError) as fault:
        return Published("Consul API", fault=_unusable(place, type(fault).__name__))
    age = int(listed.headers.get("X-Consul-LastContact", 0)) / 1000
    lost = listed.headers.get("X-Consul-KnownLeader") == "false"
    stale = f"no manager answers it since {age:.0f} s: it serves what was known then"
    return Published("Consul API", places, stale if lost else "")


def _unusable(place: Place, reason: str) -> str:
    return f"cannot be used at {place} ({reason}): does `swarmctl discovery run` run there?"


def _places(answer: requests.Response) -> frozenset[str]:
    answer.raise_for_status()
    return frozenset(
        str(Place(entry["Service"]["Address"], entry["Service"]["Port"])) for entry in answer.json()
    )


def ask_dns(place: Place, domain: str, names: Iterable[str]) -> Published:
    """What DNS names, for these names: a zone cannot be listed."""
    try:
        places = {name: _resolve(place, f"{name}.service.{domain}") for name in sorted(names)}
    except (dns.exception.DNSException, OSError) as fault:
        return Published("DNS", fault=_unusable(place, str(fault) or type(fault).__name__))
    return Published("DNS", places)


def _resolve(place: Place, name: str) -> frozenset[str]:
    found = _query(place, name, "SRV")
    addresses: dict[Any, str] = {rrset.name: rrset[0].address for rrset in found.additional}
    records = [
        record for rrset in found.answer if rrset.rdtype == dns.rdatatype.SRV for record in rrset
    ]
    for record in records:
        if record.target not in addresses:  # left out, because the answer was too large
            answer = _query(place, record.target.to_text(), "A").answer
            addresses |= {record.target: answer[0][0].address} if answer else {}
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


def ask_endpoints(endpoints: Iterable[Endpoint]) -> Mapping[str, Answer]:
    """The answer to a request to each TCP endpoint, by its place."""
    chosen = {e.place: e.path for e in endpoints if e.protocol == "tcp"}
    if not chosen:
        return {}
    with ThreadPoolExecutor(min(_PARALLEL, len(chosen))) as pool:
        answers = pool.map(lambda place: get_or_connect(place, chosen[place], _TIMEOUT_S), chosen)
        return dict(zip(chosen, answers, strict=True))
