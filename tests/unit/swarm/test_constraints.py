"""Placement constraints mean what SwarmKit takes them to mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.swarm.constraints import label, parse, parse_all
from tests.unit.engine_json import node, swarm

NODE = swarm(
    [node("wkr1", labels={"az": "a", "Disk": "SSD"}, engine_labels={"e": "1"}, addr="10.42.1.5")],
    [],
    [],
).nodes[0]


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("node.role==worker", True),
        ("node.role != manager", True),
        ("node.hostname==WKR1", True),
        ("node.hostname==wkr*", False),
        ("Node.Role==worker", True),
        ("node.id==id-wkr1", True),
        ("node.labels.az==A", True),
        ("node.labels.AZ==a", False),
        ("node.labels.Disk==ssd", True),
        ("node.labels.missing!=x", True),
        ("node.labels.missing==x", False),
        ("node.labels.!=x", False),  # names no label
        ("engine.labels.e==1", True),
        ("node.platform.os==linux", True),
        ("node.ip==10.42.1.0/24", True),
        ("node.ip==10.42.1.5", True),
        ("node.ip==10.42.1.99/24", True),  # what lies beyond the mask is ignored
        ("node.ip!=10.42.1.0/24", False),
        ("node.ip==nonsense", False),
        ("node.ip!=nonsense", False),
        ("node.nosuch!=x", False),
        ("node.role=worker", False),
    ],
)
def test_a_constraint_allows_a_node(constraint: str, expected: bool) -> None:
    assert parse(constraint).holds(NODE) is expected


@pytest.mark.parametrize("address", ["", "manager"])
def test_a_node_of_unknown_address_is_in_no_network(address: str) -> None:
    unknown = replace(NODE, status_address=address)
    assert not parse("node.ip==0.0.0.0/0").holds(unknown)
    assert parse("node.ip!=0.0.0.0/0").holds(unknown) is True


def test_only_the_address_that_the_node_reports_is_compared() -> None:
    """SwarmKit reads Status.Addr, which may differ from a manager's Raft address."""
    assert not parse("node.ip==10.42.0.4").holds(
        replace(NODE, status_address="0.0.0.0", address="10.42.0.4")
    )


def test_a_label_that_a_node_lacks_is_empty() -> None:
    assert label(NODE, "node.labels.missing") == ""
    assert label(NODE, "node.role") is None


@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        ("node.role == worker", ""),
        ("node.labels.az==eu-central-1*", ""),
        ("node.role=worker", "it has neither == nor !="),
        ("==x", "the key '' is invalid"),
        ("a==x", "the key 'a' is invalid"),
        ("node.hostname==wkr1,wkr2", "the value 'wkr1,wkr2' is invalid"),
        ("node.hostname==", "the value '' is invalid"),
        ("node.hostname==a==b", "the value 'a==b' is invalid"),
    ],
)
def test_a_constraint_that_the_engine_refuses_has_a_problem(constraint: str, problem: str) -> None:
    assert parse(constraint).problem == problem


def test_one_malformed_constraint_disables_all_of_a_service() -> None:
    assert parse_all(["node.role == manager", "node.role=manager"]) == ()
