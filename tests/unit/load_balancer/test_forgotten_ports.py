"""A port that the managers forgot says nothing about the target: it serves, and stays."""

from __future__ import annotations

import pytest

from swarmctl.moves.load_balancer import Balancer
from tests.unit.discovery.shop import NODES, port
from tests.unit.engine_json import node, swarm, task
from tests.unit.load_balancer.balanced import World, edition, http, runs
from tests.unit.load_balancer.elb import RefusedError

SHOP = [http("shop_web", "/*")]
ONE, TWO = ("i-wkr1", 32768), ("i-wkr2", 32769)
BOTH = [runs("shop_web", "wkr_1", 32768), runs("shop_web", "wkr_2", 32769, 2)]
FORGOTTEN = task("shop_web", "wkr_1", 1, id=BOTH[0]["ID"])
MARK = {"swarmctl.draining": "2026-01-31T12:00:00Z"}


@pytest.fixture
def world() -> World:
    made = World()
    made.listener.publish(edition(SHOP, BOTH))
    assert made.elb.targets("shop-web") == {ONE, TWO}
    return made


@pytest.mark.parametrize("other", [BOTH[1], task("shop_web", "wkr_2", 2, id=BOTH[1]["ID"])])
def test_a_target_whose_port_is_not_known_stays(world: World, other: object) -> None:
    """Broken: after a change of leader, all that serves is taken from the load balancer."""
    assert world.writes(edition(SHOP, [FORGOTTEN, other])) == {}  # type: ignore[list-item]
    world.listener = world.new_listener()
    assert world.writes(edition(SHOP, [FORGOTTEN, other])) == {}  # type: ignore[list-item]


def test_what_is_known_to_be_gone_goes_meanwhile(world: World) -> None:
    world.listener.publish(edition(SHOP, [FORGOTTEN]))
    assert world.elb.targets("shop-web") == {ONE}
    world.listener.publish(edition(SHOP, [FORGOTTEN, runs("shop_web", "wkr_2", 32770, 2)]))
    assert world.elb.targets("shop-web") == {ONE, ("i-wkr2", 32770)}
    world.listener.publish(edition(SHOP, [runs("shop_web", "wkr_1", 32771)]))
    assert world.elb.targets("shop-web") == {("i-wkr1", 32771)}


def test_a_drained_node_is_left_though_its_ports_are_not_known(world: World) -> None:
    nodes = [NODES[0], node("wkr_1", addr="10.42.0.5", labels=MARK), NODES[2]]
    world.listener.publish(edition(SHOP, [FORGOTTEN, BOTH[1]], nodes))
    assert world.elb.targets("shop-web") == {TWO}


@pytest.mark.parametrize("state", ["unknown", "disconnected"])
def test_what_is_on_a_node_that_a_new_leader_has_not_heard_from_stays(
    world: World, state: str
) -> None:
    """Broken: who reads the Swarm just after an election, takes everything away."""
    nodes = [NODES[0], *(node(f"wkr_{n}", addr=f"10.42.0.{n + 4}", state=state) for n in (1, 2))]
    world.listener = world.new_listener()
    assert world.writes(edition(SHOP, BOTH, nodes)) == {}
    down = [*nodes[:2], node("wkr_2", addr="10.42.0.6", state="down")]
    world.listener.publish(edition(SHOP, BOTH, down))
    assert world.elb.targets("shop-web") == {ONE}


def test_the_dynamic_one_of_two_ports_may_be_forgotten_too(world: World) -> None:
    service = http("shop_web", "/*", port="80")
    service["Spec"]["EndpointSpec"]["Ports"] = [port(9100, 9100), port(80)]
    assert world.writes(edition([service], [FORGOTTEN, BOTH[1]])) == {}


def test_a_move_does_not_call_such_a_target_one_too_many(world: World) -> None:
    balancer = Balancer(world.new_listener, "load balancer swarm-app")

    def throttled(name: str, arguments: object) -> None:
        if name in ("RegisterTargets", "DeregisterTargets"):
            raise RefusedError("Throttling", "Rate exceeded")

    world.elb.hook = throttled
    more = [FORGOTTEN, BOTH[1], runs("shop_web", "mgr_1", 32768, 3)]
    balancer.publish(swarm(NODES, SHOP, more))
    assert world.elb.targets("shop-web") == {ONE, TWO}
