"""A node is named in the same way in every command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.fault.targets import choose
from swarmctl.errors import UsageError
from swarmctl.prediction.lost_nodes import lost_nodes
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node, find_node
from tests.unit.chaos.simulated_swarm import node


def named(hostname: str, node_id: str = "", state: str = "ready") -> Node:
    base = node("wkr1", state=state)
    return replace(base, id=node_id or f"id-{hostname}", hostname=hostname, name=hostname)


NODES = (named("swarm_app_wkr1"), named("swarm_app_wkr2"), named("swarm_app_wkr12"))


@pytest.mark.parametrize("name", ["swarm_app_wkr2", "wkr2", "id-swarm_app_wkr2"])
def test_full_name_short_name_and_id_mean_the_same_node_everywhere(name: str) -> None:
    swarm = Swarm(NODES, (), ())
    assert find_node(NODES, name).hostname == "swarm_app_wkr2"
    assert lost_nodes(swarm, [name], None) == ["id-swarm_app_wkr2"]
    assert choose(swarm, Selection(names=(name,))) == (NODES[1],)


@pytest.mark.parametrize("name", ["kr2", "2", "wkr", "swarm_app_wkr", ""])
def test_a_part_of_a_name_is_no_short_name(name: str) -> None:
    with pytest.raises(UsageError, match="unknown node"):
        find_node(NODES, name)


def test_the_full_name_of_one_node_is_not_taken_for_the_short_name_of_another() -> None:
    assert find_node((*NODES, named("wkr2")), "wkr2").hostname == "wkr2"


def test_a_short_name_of_several_nodes_is_refused() -> None:
    with pytest.raises(UsageError, match="several nodes") as caught:
        find_node((*NODES, named("other_wkr2")), "wkr2")
    assert "other_wkr2 (id-other_wkr2)" in caught.value.hint


def test_the_entry_that_a_machine_left_behind_is_not_meant() -> None:
    old = named("swarm_app_wkr2", "id-old", state="down")
    assert find_node((old, *NODES), "wkr2").id == "id-swarm_app_wkr2"


def test_naming_one_node_twice_in_two_ways_takes_it_once() -> None:
    swarm = Swarm(NODES, (), ())
    assert len(choose(swarm, Selection(names=("wkr2", "swarm_app_wkr2")))) == 1
    assert len(lost_nodes(swarm, ["wkr2,swarm_app_wkr2"], None)) == 1
