"""Placement constraints mean what SwarmKit takes them to mean."""

from __future__ import annotations

import pytest

from swarmctl.swarm.constraints import allows
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
        ("node.nosuch!=x", False),
        ("node.role=worker", False),
    ],
)
def test_a_constraint_allows_a_node(constraint: str, expected: bool) -> None:
    assert allows(NODE, constraint) is expected
