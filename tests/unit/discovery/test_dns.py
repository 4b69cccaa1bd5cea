"""DNS as Consul's clients and ordinary resolvers ask it."""

from __future__ import annotations

import random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.consul.dns_answers import answer, wire
from swarmctl.discovery.consul.dns_server import DnsListener
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.sockets import Place, listen_dns
from tests.unit.discovery.shop import NODES, labelled, port, shop
from tests.unit.engine_json import node, task

IDENTITY = Identity()
DNS53 = labelled("shop_dns", [port(53, 53), port(53, 53, Protocol="udp")])
EDITION = follow(
    None, catalogue(shop(DNS53, more_tasks=(task("shop_dns", "wkr_1", 1),))), (), 1_000_000
)


def crowd(replicas: int) -> Edition:
    tasks = [task("shop_web", "wkr_1", n + 1, ports=[port(80, 32768 + n)]) for n in range(replicas)]
    return follow(None, catalogue(shop(tasks=tasks)), (), 1)


def ask(name: str, kind: str = "A", edition: Edition | None = EDITION) -> dns.message.Message:
    return answer(edition, dns.message.make_query(name, kind), IDENTITY)


def texts(section: list[Any]) -> list[str]:
    return sorted(record.to_text() for rrset in section for record in rrset)


def test_the_addresses_of_a_service() -> None:
    found = ask("shop-web.service.consul")
    assert texts(found.answer) == ["10.42.0.5", "10.42.0.6"]
    assert found.answer[0].ttl == 0
    assert found.flags & dns.flags.AA
    assert not found.flags & dns.flags.RA


@pytest.mark.parametrize("hostname", ["w" * 64, "---", "\u20ac"])
def test_a_host_whose_name_dns_cannot_hold_spoils_no_answer(hostname: str) -> None:
    odd = node("wkr_2", addr="10.42.0.6")
    odd["Description"]["Hostname"] = hostname
    nodes = [*NODES[:2], odd]
    found = ask("shop-web.service.consul", "SRV", follow(None, catalogue(shop(nodes=nodes)), (), 1))
    assert len(texts(found.answer)) == 2
    assert sorted(texts(found.additional)) == ["10.42.0.5", "10.42.0.6"]


def test_the_ports_of_a_service_with_the_addresses_of_their_nodes() -> None:
    found = ask("shop-web.service.consul", "SRV")
    assert texts(found.answer) == [
        "1 1 32768 p32768.wkr-1.node.dc1.consul.",
        "1 1 32768 p32768.wkr-2.node.dc1.consul.",
    ]
    additional = {(r.name.to_text(), texts([r])[0]) for r in found.additional}
    assert additional == {
        ("p32768.wkr-1.node.dc1.consul.", "10.42.0.5"),
        ("p32768.wkr-2.node.dc1.consul.", "10.42.0.6"),
    }
    for name, address in additional:
        assert texts(ask(name).answer) == [address]


def test_each_port_has_a_target_of_its_own_with_its_additional_record() -> None:
    """HAProxy gives an additional record to one SRV record only, and ignored the others."""
    found = ask("shop-web.service.consul", "SRV", crowd(10))
    targets = {record.target for record in found.answer[0]}
    assert len(targets) == 10
    assert {rrset.name for rrset in found.additional} == targets


def test_a_node_is_found_by_its_name() -> None:
    for name in ("wkr-1.node.consul", "WKR_1.node.dc1.consul", "p1.wkr-1.node.consul"):
        assert texts(ask(name).answer) == ["10.42.0.5"]
    assert ask("p1.node.consul").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "name",
    [
        "shop-web.service.dc1.consul",
        "SHOP-Web.SERVICE.Consul",
        "shop_web.service.consul",
        "blue.shop-web.service.consul",
        "_shop-web._tcp.service.consul",
        "_shop_web._tcp.service.dc1.consul",
        "_shop-web._blue.service.consul",
    ],
)
def test_every_form_of_a_name_finds_the_same_replicas(name: str) -> None:
    found = ask(name, "SRV")
    assert len(texts(found.answer)) == 2
    assert found.answer[0].name.to_text() == f"{name}."  # the case of the question is kept


def test_the_protocol_of_a_name_chooses_the_port() -> None:
    assert len(texts(ask("shop-dns.service.consul", "SRV").answer)) == 1  # one and the same record
    for name, count in (("_shop-dns._udp", 1), ("_shop-dns._sctp", 0)):
        assert len(texts(ask(f"{name}.service.consul", "SRV").answer)) == count


@pytest.mark.parametrize(
    "name",
    [
        "nosuch.service.consul",
        "green.shop-web.service.consul",
        "nosuch.node.consul",
        "shop-web.service.dc2.consul",
        "shop-web.query.consul",
    ],
)
def test_what_does_not_exist_is_nxdomain_with_the_soa(name: str) -> None:
    found = ask(name)
    assert found.rcode() == dns.rcode.NXDOMAIN
    (soa,) = found.authority
    assert soa.name.to_text() == "consul."
    assert soa[0].minimum == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shop-web.service.consul", "AAAA"),
        ("shop-web.service.consul", "TXT"),
        ("service.consul", "A"),
        ("consul", "A"),
        ("dc1.consul", "SRV"),
    ],
)
def test_a_name_without_such_a_record_is_nodata_and_not_nxdomain(name: str, kind: str) -> None:
    found = ask(name, kind)
    assert found.rcode() == dns.rcode.NOERROR
    assert found.answer == []
    assert found.authority[0].rdtype == dns.rdatatype.SOA


def test_other_domains_are_refused_because_nothing_is_looked_up_for_a_client() -> None:
    for name in ("example.com", "consul.example.com", "notconsul"):
        assert ask(name).rcode() == dns.rcode.REFUSED


def test_before_the_first_snapshot_the_answer_is_servfail_and_not_an_empty_one() -> None:
    assert ask("shop-web.service.consul", edition=None).rcode() == dns.rcode.SERVFAIL


def test_other_requests_than_queries_are_not_implemented() -> None:
    update = dns.message.make_query("consul", "SOA")
    update.set_opcode(dns.opcode.NOTIFY)
    assert answer(EDITION, update, IDENTITY).rcode() == dns.rcode.NOTIMP
    newer = dns.message.make_query("consul", "SOA", use_edns=1)
    assert answer(EDITION, newer, IDENTITY).rcode() == dns.rcode.BADVERS


@pytest.mark.parametrize("size", [512, 1232, 4096])
@pytest.mark.parametrize("replicas", [5, 10, 30, 200])
def test_an_answer_that_does_not_fit_is_cut_and_says_so(size: int, replicas: int) -> None:
    found = ask("shop-web.service.consul", "SRV", crowd(replicas))
    packet = wire(found, size)
    assert len(packet) <= size
    seen = dns.message.from_wire(packet)
    cut = bool(seen.flags & dns.flags.TC)
    assert cut == (len(texts(seen.answer)) < replicas)
    assert seen.answer
    whole = dns.message.from_wire(
        wire(ask("shop-web.service.consul", "SRV", crowd(replicas)), 65535)
    )
    assert len(texts(whole.answer)) == replicas


def test_replicas_come_in_another_order_each_time() -> None:
    orders = {
        tuple(r.to_text() for r in ask("shop-web.service.consul", "SRV", crowd(5)).answer[0])
        for _ in range(50)
    }
    assert len(orders) > 5


@pytest.fixture
def server() -> Any:
    listener = DnsListener(listen_dns(Place("127.0.0.1", 0), "--dns"), IDENTITY)
    yield listener
    listener.close()


def test_a_client_gets_all_replicas_over_udp_or_by_falling_back_to_tcp(server: DnsListener) -> None:
    import dns.query

    server.publish(crowd(60))
    where, at = "127.0.0.1", server.port
    query = dns.message.make_query("shop-web.service.consul", "SRV")
    found, fell_back = dns.query.udp_with_fallback(query, where, port=at, timeout=30)
    assert fell_back
    assert len(found.answer[0]) == 60
    large = dns.message.make_query("shop-web.service.consul", "SRV", use_edns=0, payload=8192)
    assert len(dns.query.udp(large, where, port=at, timeout=30).answer[0]) == 60


def test_hundreds_of_questions_in_one_packet_are_answered_with_formerr(server: DnsListener) -> None:
    server.publish(EDITION)
    query = dns.message.make_query("shop-web.service.consul", "SRV")
    query.question *= 300
    reply = server.reply(query.to_wire(max_size=65535), udp=True)
    assert reply is not None
    assert dns.message.from_wire(reply).rcode() == dns.rcode.FORMERR


def test_rubbish_is_answered_with_formerr_or_not_at_all_and_never_stops_the_server(
    server: DnsListener,
) -> None:
    draw = random.Random(1)
    good = bytearray(dns.message.make_query("shop-web.service.consul", "SRV").to_wire())
    server.publish(EDITION)
    for _ in range(2000):
        packet = bytearray(good)
        for _ in range(draw.randrange(1, 6)):
            packet[draw.randrange(len(packet))] = draw.randrange(256)
        reply = server.reply(bytes(packet[: draw.randrange(len(packet) + 1)]), udp=True)
        if reply is not None:
            assert reply[:2] == packet[:2]
            assert reply[2] & 0x80
    assert (
        server.reply(
            dns.message.make_response(dns.message.from_wire(bytes(good))).to_wire(), udp=True
        )
        is None
    )
