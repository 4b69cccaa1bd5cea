"""The resolver speaks UDP and TCP, to its own clients only."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from swarmctl.lab.resolver.answers import VpcNames
from swarmctl.lab.resolver.records import Member, Policy, RecordSet, Zone
from swarmctl.lab.resolver.server import ResolverServer
from swarmctl.lab.resolver.upstream import Upstream, configured

LONG = Member(tuple(f'"{n} {"x" * 90}"' for n in range(20)), 60)
ZONE = Zone(
    "shop.internal.",
    {
        ("long.shop.internal.", "TXT"): RecordSet(Policy.SIMPLE, (LONG,)),
        ("db.shop.internal.", "A"): RecordSet(Policy.SIMPLE, (Member(("10.42.1.5",), 60),)),
        ("away.shop.internal.", "CNAME"): RecordSet(Policy.SIMPLE, (Member(("db.test.",), 60),)),
        ("bad.shop.internal.", "A"): RecordSet(Policy.SIMPLE, (Member(("no address",), 60),)),
    },
    "ns.example. admin.example. 1 7200 900 1209600 30",
)
NAMES = VpcNames(IPv4Network("10.42.0.0/16"), "eu-central-1.compute.internal.", (ZONE,))
QUERY = dns.message.make_query("db.shop.internal", "A")

Serve = Callable[..., ResolverServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[ResolverServer] = []

    def start(*, admits: bool = True, upstream: Upstream | None = None) -> ResolverServer:
        server = ResolverServer("127.0.0.1", lambda: NAMES, lambda _: admits, upstream)
        made.append(server)
        return server

    yield start
    for server in made:
        server.close()


def test_both_protocols_are_answered(serve: Serve) -> None:
    port = serve().port
    for ask in (dns.query.udp, dns.query.tcp):
        reply = ask(QUERY, "127.0.0.1", port=port, timeout=5)
        assert [str(item) for item in reply.answer[0]] == ["10.42.1.5"]


def test_an_answer_that_is_too_long_says_so_and_is_whole_over_tcp(serve: Serve) -> None:
    port = serve().port
    query = dns.message.make_query("long.shop.internal", "TXT")
    cut = dns.query.udp(query, "127.0.0.1", port=port, timeout=5)
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert len(dns.query.tcp(query, "127.0.0.1", port=port, timeout=5).answer[0]) == 20


def test_a_record_that_is_none_is_a_failure_of_that_name_only(serve: Serve) -> None:
    port = serve().port
    bad = dns.message.make_query("bad.shop.internal", "A")
    assert dns.query.udp(bad, "127.0.0.1", port=port, timeout=5).rcode() == dns.rcode.SERVFAIL
    assert dns.query.udp(QUERY, "127.0.0.1", port=port, timeout=5).answer


def test_nobody_outside_the_vpc_is_answered(serve: Serve) -> None:
    port = serve(admits=False).port
    with pytest.raises(dns.exception.Timeout):
        dns.query.udp(QUERY, "127.0.0.1", port=port, timeout=0.3)
    with pytest.raises((EOFError, OSError)):
        dns.query.tcp(QUERY, "127.0.0.1", port=port, timeout=5)


def test_other_names_are_asked_of_this_computers_resolver(serve: Serve) -> None:
    class Knows(Upstream):
        def ask(self, query: dns.message.Message) -> dns.message.Message:
            reply = dns.message.make_response(query)
            reply.set_rcode(dns.rcode.YXDOMAIN)
            return reply

    port = serve(upstream=Knows()).port
    other = dns.message.make_query("registry-1.docker.io", "A")
    for ask in (dns.query.udp, dns.query.tcp):
        assert ask(other, "127.0.0.1", port=port, timeout=5).rcode() == dns.rcode.YXDOMAIN


def test_an_alias_that_leaves_the_vpc_is_followed(serve: Serve) -> None:
    """Broken: the client gets an alias without an address."""

    class Knows(Upstream):
        def ask(self, query: dns.message.Message) -> dns.message.Message:
            reply = dns.message.make_response(query)
            name = query.question[0].name
            reply.answer.append(dns.rrset.from_text(name, 9, "IN", "A", "192.0.2.7"))
            return reply

    port = serve(upstream=Knows()).port
    query = dns.message.make_query("away.shop.internal", "A")
    for ask in (dns.query.udp, dns.query.tcp):
        reply = ask(query, "127.0.0.1", port=port, timeout=5)
        found = [(str(rrset.name), str(item)) for rrset in reply.answer for item in rrset]
        assert found == [("away.shop.internal.", "db.test."), ("db.test.", "192.0.2.7")]


def test_a_server_that_is_silent_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    now = [0.0]

    def silent(_: dns.message.Message, where: str, **__: float) -> None:
        asked.append(where)
        raise dns.exception.Timeout

    monkeypatch.setattr("dns.query.udp_with_fallback", silent)
    upstream = Upstream(lambda: ["192.0.2.1"], lambda: now[0])
    assert upstream.ask(QUERY).rcode() == dns.rcode.SERVFAIL
    assert upstream.ask(QUERY).rcode() == dns.rcode.SERVFAIL
    assert asked == ["192.0.2.1"]
    now[0] = 31.0
    upstream.ask(QUERY)
    assert len(asked) == 2


def test_the_servers_are_those_of_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# made\nsearch example.org\nnameserver 192.0.2.1\nnameserver  192.0.2.2\n")
    assert configured(path) == ["192.0.2.1", "192.0.2.2"]
    assert configured(path / "none") == []
