"""The resolver of a VPC answers as Amazon's does."""

import random
from ipaddress import IPv4Network

import dns.message
import dns.rcode
import pytest

from swarmctl.lab.resolver.answers import VpcNames, answer, elsewhere
from swarmctl.lab.resolver.records import Member, Policy, RecordSet, Zone

SOA = "ns.example. admin.example. 1 7200 900 1209600 30"


def simple(*values: str, ttl: int = 60) -> RecordSet:
    return RecordSet(Policy.SIMPLE, (Member(values, ttl),))


def many(policy: Policy, number: int, *, ill: int = 0) -> RecordSet:
    members = (Member((f"10.42.1.{n}",), 5, healthy=n >= ill) for n in range(number))
    return RecordSet(policy, tuple(members))


SHOP = Zone(
    "shop.internal.",
    {
        ("shop.internal.", "SOA"): simple(SOA, ttl=900),
        ("db.shop.internal.", "A"): simple("10.42.1.5"),
        ("www.shop.internal.", "CNAME"): simple("db.shop.internal."),
        ("away.shop.internal.", "CNAME"): simple("example.org."),
        ("node.shop.internal.", "CNAME"): simple("ip-10-42-1-9.eu-central-1.compute.internal."),
        ("gone.shop.internal.", "CNAME"): simple("ip-10-43-1-9.eu-central-1.compute.internal."),
        ("round.shop.internal.", "CNAME"): simple("round.shop.internal."),
        ("*.apps.shop.internal.", "A"): simple("10.42.1.7"),
        ("many.shop.internal.", "A"): many(Policy.MULTIVALUE, 20),
        ("some.shop.internal.", "A"): many(Policy.MULTIVALUE, 4, ill=2),
        ("ill.shop.internal.", "A"): many(Policy.MULTIVALUE, 4, ill=4),
        ("one.shop.internal.", "A"): many(Policy.WEIGHTED, 4),
        ("_web._tcp.shop.internal.", "SRV"): simple("1 1 8080 t1._web._tcp.shop.internal."),
    },
    SOA,
    900,
    30,
)
INNER = Zone("inner.shop.internal.", {("db.inner.shop.internal.", "A"): simple("10.42.1.6")}, SOA)
NAMES = VpcNames(IPv4Network("10.42.0.0/16"), "eu-central-1.compute.internal.", (SHOP, INNER))


def asked(name: str, kind: str = "A") -> dns.message.Message:
    found = answer(NAMES, dns.message.make_query(name, kind), random.Random(1))
    assert found is not None
    return found


def values(name: str, kind: str = "A") -> list[str]:
    return [str(item) for rrset in asked(name, kind).answer for item in rrset]


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("db.shop.internal", "A", ["10.42.1.5"]),
        ("DB.Shop.Internal", "A", ["10.42.1.5"]),
        ("db.inner.shop.internal", "A", ["10.42.1.6"]),
        ("www.shop.internal", "A", ["db.shop.internal.", "10.42.1.5"]),
        ("www.shop.internal", "CNAME", ["db.shop.internal."]),
        ("away.shop.internal", "A", ["example.org."]),
        (
            "node.shop.internal",
            "A",
            ["ip-10-42-1-9.eu-central-1.compute.internal.", "10.42.1.9"],
        ),
        ("any.apps.shop.internal", "A", ["10.42.1.7"]),
        ("_web._tcp.shop.internal", "SRV", ["1 1 8080 t1._web._tcp.shop.internal."]),
        ("ip-10-42-1-9.eu-central-1.compute.internal", "A", ["10.42.1.9"]),
        ("9.1.42.10.in-addr.arpa", "PTR", ["ip-10-42-1-9.eu-central-1.compute.internal."]),
    ],
)
def test_a_name_of_the_vpc_has_its_records(name: str, kind: str, found: list[str]) -> None:
    assert values(name, kind) == found


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("nothing.shop.internal", "A", dns.rcode.NXDOMAIN),
        ("db.shop.internal", "AAAA", dns.rcode.NOERROR),
        ("_tcp.shop.internal", "A", dns.rcode.NOERROR),  # a name below it exists
        ("round.shop.internal", "A", dns.rcode.NOERROR),
    ],
)
def test_what_is_missing_may_be_remembered_for_a_while(
    name: str, kind: str, code: dns.rcode.Rcode
) -> None:
    reply = asked(name, kind)
    assert reply.rcode() == code
    assert [rrset.ttl for rrset in reply.authority] == [30]


def test_ec2_has_no_name_for_an_address_outside_the_vpc() -> None:
    reply = asked("ip-10-43-1-9.eu-central-1.compute.internal")
    assert (reply.rcode(), reply.answer) == (dns.rcode.NXDOMAIN, [])


def test_an_alias_of_no_ec2_name_says_so() -> None:
    reply = asked("gone.shop.internal")
    assert (reply.rcode(), len(reply.answer)) == (dns.rcode.NXDOMAIN, 1)


@pytest.mark.parametrize(
    ("name", "kind", "other"),
    [
        ("away.shop.internal", "A", "example.org."),
        ("away.shop.internal", "CNAME", "None"),
        ("www.shop.internal", "AAAA", "None"),
        ("round.shop.internal", "A", "None"),
        ("node.shop.internal", "AAAA", "None"),
        ("gone.shop.internal", "A", "None"),
        ("nothing.shop.internal", "A", "None"),
    ],
)
def test_only_what_no_name_of_the_vpc_stands_for_is_asked_elsewhere(
    name: str, kind: str, other: str
) -> None:
    assert str(elsewhere(NAMES, asked(name, kind))) == other


def test_a_multivalue_answer_has_eight_values_at_most() -> None:
    assert len(set(values("many.shop.internal"))) == 8


def test_ill_members_are_left_out_unless_all_are_ill() -> None:
    assert sorted(values("some.shop.internal")) == ["10.42.1.2", "10.42.1.3"]
    assert len(values("ill.shop.internal")) == 4


def test_a_weighted_answer_has_one_value() -> None:
    assert len(values("one.shop.internal")) == 1


@pytest.mark.parametrize("name", ["registry-1.docker.io", "1.0.168.192.in-addr.arpa", "internal"])
def test_other_names_are_for_another_resolver(name: str) -> None:
    assert answer(NAMES, dns.message.make_query(name, "A"), random.Random(1)) is None
