"""The answer to one DNS query in a VPC. Pure.

https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from swarmctl.lab.resolver.records import Zone, chosen

_EC2_TTL = 60  # seconds
_MOST_ALIASES = 8  # of one answer, against circles
_EC2_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)\.")


@dataclass(frozen=True, slots=True)
class VpcNames:
    """What the resolver of one VPC knows."""

    cidr: IPv4Network
    domain: str  # of EC2's own names, with a dot at the end
    zones: Sequence[Zone]


def answer(
    names: VpcNames, query: dns.message.Message, dice: random.Random
) -> dns.message.Message | None:
    """The answer; ``None`` if the name is none of the VPC's, so that another must be asked."""
    reply = dns.message.make_response(query, recursion_available=True)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        reply.set_rcode(dns.rcode.NOTIMP)
        return reply
    question = query.question[0]
    name, kind = question.name.to_text().lower(), question.rdtype
    if question.rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.REFUSED)
        return reply
    if (zone := _zone(names, name)) is not None:
        _from_zone(names, zone, name, kind, reply, dice)
        return reply
    return _of_ec2(names, name, kind, reply)


def elsewhere(names: VpcNames, reply: dns.message.Message | None) -> dns.name.Name | None:
    """The alias with which an answer ends, if another must be asked about what it stands for."""
    last = reply.answer[-1] if reply and reply.answer else None
    if reply is None or last is None or last.rdtype != dns.rdatatype.CNAME:
        return None
    kind, target = reply.question[0].rdtype, last[0].target
    name = target.to_text().lower()
    if kind == dns.rdatatype.CNAME or _zone(names, name):
        return None
    return target if _of_ec2(names, name, kind, dns.message.Message()) is None else None


def _zone(names: VpcNames, name: str) -> Zone | None:
    """The zone with the longest name that the name is in."""
    inside = [z for z in names.zones if name == z.name or name.endswith(f".{z.name}")]
    return max(inside, key=lambda zone: len(zone.name), default=None)


def _from_zone(
    names: VpcNames,
    zone: Zone,
    name: str,
    kind: dns.rdatatype.RdataType,
    reply: dns.message.Message,
    dice: random.Random,
) -> None:
    """Add the records of a name; follow CNAMEs as far as the VPC's names go."""
    here: Zone | None = zone
    for _ in range(_MOST_ALIASES):
        if here is None:
            _of_ec2(names, name, kind, reply)
            return
        if _add(here, name, dns.rdatatype.to_text(kind), reply, dice):
            return
        alias = [] if kind == dns.rdatatype.CNAME else _add(here, name, "CNAME", reply, dice)
        if not alias:
            break
        name = alias[-1].lower()
        here = _zone(names, name)
    if not reply.answer and not _exists(zone, name):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    ttl = min(zone.soa_ttl, zone.negative_ttl)
    reply.authority.append(dns.rrset.from_text(zone.name, ttl, "IN", "SOA", zone.soa))


def _add(
    zone: Zone, name: str, kind: str, reply: dns.message.Message, dice: random.Random
) -> list[str]:
    """Add what a zone has of a name and type to the answer; returns the values."""
    records = zone.sets.get((name, kind))
    if records is None and not _exists(zone, name):
        records = zone.sets.get((f"*.{name.partition('.')[2]}", kind))
    if records is None:
        return []
    members = chosen(records, dice)
    values = [value for member in members for value in member.values]
    ttl = min(member.ttl for member in members)
    reply.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *values))
    return values


def _exists(zone: Zone, name: str) -> bool:
    """Whether a name, or one below it, has records."""
    return any(known == name or known.endswith(f".{name}") for known, _ in zone.sets)


def _of_ec2(
    names: VpcNames, name: str, kind: dns.rdatatype.RdataType, reply: dns.message.Message
) -> dns.message.Message | None:
    """``ip-10-42-1-10.REGION.compute.internal`` and its reverse, for any address of the VPC."""
    if name.endswith(f".{names.domain}") or name == names.domain:
        match = _EC2_NAME.fullmatch(name.removesuffix(names.domain))
        address = _address(".".join(match.groups())) if match else None
        if address is None or address not in names.cidr:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif kind == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(name, _EC2_TTL, "IN", "A", str(address)))
        return reply
    if name.endswith(".in-addr.arpa."):
        text = dns.reversename.to_address(dns.name.from_text(name)) if name.count(".") == 6 else ""
        address = _address(text)
        if address is None or address not in names.cidr:
            return None
        if kind == dns.rdatatype.PTR:
            target = f"ip-{text.replace('.', '-')}.{names.domain}"
            reply.answer.append(dns.rrset.from_text(name, _EC2_TTL, "IN", "PTR", target))
        return reply
    return None


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None
