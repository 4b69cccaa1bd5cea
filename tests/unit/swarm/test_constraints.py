"""Placement constraints mean what SwarmKit takes them to mean."""

from __future__ import annotations

import pytest

from swarmctl.swarm.constraints import parse, parse_all
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
        ("engine.labels.e==1", True),
        ("node.platform.os==linux", True),
        ("node.ip==10.42.1.0/24", True),
        ("node.ip==10.42.1.5", True),
        ("node.ip!=10.42.1.0/24", False),
        ("node.ip==nonsense", False),
        ("node.ip!=nonsense", False),
        ("node.nosuch!=x", False),
        ("node.role=worker", False),
    ],
)
def test_a_constraint_allows_a_node(constraint: str, expected: bool) -> None:
    assert parse(constraint).holds(NODE) is expected


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
    ],
)
def test_a_constraint_that_the_engine_refuses_has_a_problem(constraint: str, problem: str) -> None:
    assert parse(constraint).problem == problem


def test_one_malformed_constraint_disables_all_of_a_service() -> None:
    assert parse_all(["node.role == manager", "node.role=manager"]) == ()
