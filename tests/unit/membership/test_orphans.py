"""Whose machine does not exist any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.membership.orphans import Finding, find_orphans
from swarmctl.own_machines import NOT_EC2
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import node

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
GRACE = timedelta(minutes=10)


def down(name: str, address: str, minutes: float = 60, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes)).isoformat()
    return node(name, state="down", addr=address, **more) | {"UpdatedAt": at}


def instance(name: str, address: str, state: str = "running") -> Instance:
    return Instance(f"i-{name}", name, "worker", state, address, "", "", "", "a")


def found(nodes: list[dict[str, Any]], *instances: Instance) -> list[Finding]:
    swarm = parse_swarm({"nodes": nodes, "services": [], "tasks": []})
    return list(find_orphans(swarm.nodes, instances, NOW, GRACE))


def test_an_entry_without_a_machine_may_go() -> None:
    (one,) = found([down("a_wkr1", "10.0.0.9"), node("a_wkr2", addr="10.0.0.8")])
    assert one.orphan
    assert "no instance has its name or its address 10.0.0.9" in one.why


@pytest.mark.parametrize(
    "machine",
    [
        instance("a_wkr1", "10.0.0.9"),
        instance("a_wkr1", "10.0.0.7", "stopped"),
        instance("a_other", "10.0.0.9", "pending"),
    ],
)
def test_a_machine_that_exists_keeps_its_entry(machine: Instance) -> None:
    """Broken: a node that is rebooting or stopped is thrown out of the Swarm."""
    (one,) = found([down("a_wkr1", "10.0.0.9")], machine)
    assert not one.orphan
    assert machine.id in one.why


def test_the_old_entry_of_a_machine_that_joined_anew_may_go() -> None:
    old = down("a_wkr1", "10.0.0.9") | {"ID": "old"}
    (one,) = found([old, node("a_wkr1", addr="10.0.0.9")], instance("a_wkr1", "10.0.0.9"))
    assert (one.orphan, one.node.id) == (True, "old")


def test_an_address_that_another_member_has_got_since_keeps_no_entry() -> None:
    entries = [down("a_wkr1", "10.0.0.9"), node("a_wkr2", addr="10.0.0.9")]
    (one,) = found(entries, instance("a_wkr2", "10.0.0.9"))
    assert one.orphan


def test_an_entry_stays_for_the_time_of_grace() -> None:
    (one,) = found([down("a_wkr1", "10.0.0.9", minutes=9)])
    assert not one.orphan
    assert "61 s left" in one.why


def test_a_machine_of_the_inventory_stays_and_nothing_is_claimed_of_its_power() -> None:
    machine = replace(instance("a_wkr1", "10.0.0.9"), unstoppable=NOT_EC2)
    (one,) = found([down("a_wkr1", "10.0.0.9"), node("a_wkr2", addr="10.0.0.8")], machine)
    assert not one.orphan
    assert one.why == "its instance i-a_wkr1 is in the inventory"
