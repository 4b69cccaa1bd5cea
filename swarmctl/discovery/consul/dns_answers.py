"""Consul's DNS as a function from an edition and a query to an answer. Pure, but for the shuffle.

Names, as in https://developer.hashicorp.com/consul/docs/services/discovery/dns-static-lookups,
in any case, each also with the datacentre before the domain (``web.service.dc1.consul``)::

    [TAG.]NAME.service.consul     A, AAAA, SRV
    _NAME._tcp.service.consul     the same; _udp, or _TAG instead (RFC 2782)
    NODE.node.consul              A, AAAA
    pPORT.NODE.node.consul        the same; the targets of SRV records. One for each:
                                  HAProxy gives an additional record to one SRV record only

A name without an endpoint does not exist (NXDOMAIN), as Consul has it; one without a record of the
wanted type is NODATA. Both carry the SOA. All TTLs are 0: an answer is true only now.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.endpoint import Endpoint, Member

TTL = 0
_KINDS = ("service", "node")
_PORT = re.compile(r"p[0-9]{1,5}")
_PROTOCOLS = ("tcp", "udp", "sctp")
_A, _AAAA, _SRV, _SOA, _ANY = (
    dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.SRV, dns.rdatatype.SOA, dns.rdatatype.ANY,
)  # fmt: skip


def answer(
    edition: Edition | None, query: dns.message.Message, identity: Identity
) -> dns.message.Message:
    """The answer to a query.

    Args:
        edition: what is published; ``None`` when the managers have never answered.
        query: as it came.
        identity: the domain and the datacentre.
    """
    response = dns.message.make_response(query, recursion_available=False)
    if query.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
    elif query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        response.question = []  # hundreds of them may not fit into the answer
        response.set_rcode(dns.rcode.FORMERR)
    elif edition is None:
        response.set_rcode(dns.rcode.SERVFAIL)
    else:
        _Zone(edition, identity).fill(response)
    return response


class _Zone:
    def __init__(self, edition: Edition, identity: Identity) -> None:
        self._edition, self._identity = edition, identity
        self._catalogue = edition.catalogue
        self._members = {member.name: member for member in edition.catalogue.members}
        self._apex = dns.name.from_text(identity.domain)

    def fill(self, response: dns.message.Message) -> None:
        (question,) = response.question
        if question.rdclass != dns.rdataclass.IN or not question.name.is_subdomain(self._apex):
            response.set_rcode(dns.rcode.REFUSED)  # nothing else is looked up for a client
            return
        response.flags |= dns.flags.AA
        labels = [
            label.decode("ascii", "replace").lower()
            for label in question.name.relativize(self._apex).labels
        ]
        found = self._find(labels)
        if found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(self._soa())
            return
        if not labels and question.rdtype in (_SOA, _ANY):
            response.answer.append(self._soa())
            return
        self._add(response, question, found)
        if not response.answer:
            response.authority.append(self._soa())

    def _find(self, labels: list[str]) -> tuple[Endpoint, ...] | Member | None:
        """The endpoints or the node of a name, relative to the domain; ``()`` for a name between.

        ``None`` if it does not exist.
        """
        if labels and labels[-1] == self._identity.datacenter.lower():
            labels = labels[:-1]
        if not labels or (len(labels) == 1 and labels[0] in _KINDS):
            return ()
        if labels[-1] == "service":
            return self._endpoints(labels[:-1]) or None
        if labels[-1] == "node":
            return self._member(labels[:-1])
        return None

    def _member(self, labels: list[str]) -> Member | None:
        """The node of ``[pPORT.]NODE``; a host's name may have dots itself."""
        names = [".".join(labels)]
        if _PORT.fullmatch(labels[0]):
            names.append(".".join(labels[1:]))
        members = self._catalogue.members
        return next((m for m in members if m.label in names or m.name.lower() in names), None)

    def _endpoints(self, labels: list[str]) -> tuple[Endpoint, ...]:
        """The endpoints of ``[TAG.]NAME`` or ``_NAME._TAG``."""
        if len(labels) == 2 and labels[0].startswith("_") and labels[1].startswith("_"):
            name, wanted = labels[0][1:], labels[1][1:]
            named = self._catalogue.named(name)
            if wanted in _PROTOCOLS:
                return tuple(e for e in named if e.protocol == wanted)
            return _tagged(named, wanted)
        named = self._catalogue.named(labels[-1])
        return _tagged(named, ".".join(labels[:-1])) if len(labels) > 1 else named

    def _add(
        self,
        response: dns.message.Message,
        question: dns.rrset.RRset,
        found: tuple[Endpoint, ...] | Member,
    ) -> None:
        name, wanted = question.name, question.rdtype
        places = [found.address] if isinstance(found, Member) else [e.address for e in found]
        for kind in (_A, _AAAA):
            if wanted in (kind, _ANY):
                _append(response.answer, name, kind, _of_family(places, kind))
        if wanted not in (_SRV, _ANY) or isinstance(found, Member):
            return
        targets = {self._target(e): e for e in found}
        _append(response.answer, name, _SRV, [f"1 1 {e.port} {t}" for t, e in targets.items()])
        for target, endpoint in targets.items():
            kind = _AAAA if ":" in endpoint.address else _A
            _append(response.additional, target, kind, [endpoint.address])

    def _target(self, endpoint: Endpoint) -> dns.name.Name:
        node = self._members[endpoint.node].label
        datacenter = self._identity.datacenter
        return dns.name.from_text(f"p{endpoint.port}.{node}.node.{datacenter}", self._apex)

    def _soa(self) -> dns.rrset.RRset:
        """The last number is how long a client may keep "no such name": not at all."""
        domain, serial = self._apex.to_text(), self._edition.index // 1000 & 0xFFFFFFFF
        text = f"ns.{domain} hostmaster.{domain} {serial} 3600 600 86400 0"
        return dns.rrset.from_text(self._apex, TTL, "IN", "SOA", text)


def _tagged(endpoints: Iterable[Endpoint], tag: str) -> tuple[Endpoint, ...]:
    return tuple(e for e in endpoints if tag in (own.lower() for own in e.tags))


def _of_family(addresses: Iterable[str], kind: dns.rdatatype.RdataType) -> list[str]:
    """Each address of a family once."""
    return list(dict.fromkeys(a for a in addresses if (":" in a) == (kind == _AAAA)))


def _append(
    section: list[dns.rrset.RRset],
    name: dns.name.Name,
    kind: dns.rdatatype.RdataType,
    texts: list[str],
) -> None:
    """Add records in random order: many clients use only the first."""
    if texts:
        random.shuffle(texts)
        section.append(dns.rrset.from_text_list(name, TTL, dns.rdataclass.IN, kind, texts))


def wire(response: dns.message.Message, size: int) -> bytes:
    """The answer in at most ``size`` bytes.

    Additional records are left out first, which loses nothing that cannot be asked for; then as
    many of the answers as needed, and TC tells the client to ask again over TCP.
    """
    for attempt in _smaller(response):
        try:
            return attempt.to_wire(max_size=size)
        except dns.exception.TooBig:
            continue
    raise AssertionError("an answer without records fits in any packet")


def _smaller(response: dns.message.Message) -> Iterator[dns.message.Message]:
    yield response
    response.additional.clear()
    yield response
    response.flags |= dns.flags.TC
    while response.answer:
        last = response.answer[-1]
        if len(last) <= 1:
            response.answer.pop()
        else:
            kept = list(last)[: len(last) * 3 // 4]
            response.answer[-1] = dns.rrset.from_rdata_list(last.name, TTL, kept)
        yield response
