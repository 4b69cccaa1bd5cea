"""A load balancer, as a move needs it."""

from __future__ import annotations

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.errors import SwarmctlError
from swarmctl.moves.load_balancer import Balancer
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import NODES
from tests.unit.engine_json import node, swarm
from tests.unit.load_balancer.balanced import World, http, runs
from tests.unit.load_balancer.elb import RefusedError

TASKS = [runs("shop_web", "wkr_1", 32768, 1), runs("shop_web", "wkr_2", 32768, 2)]


def shop(*, draining: bool = False, delay: str = "") -> Swarm:
    labels = {"deregistration_delay": delay} if delay else {}
    marks = {"swarmctl.draining": "2026-01-31T12:00:00Z"} if draining else {}
    nodes = [*NODES[:2], node("wkr_2", addr="10.42.0.6", labels=marks)]
    return swarm(nodes, [http("shop_web", "/*", **labels)], TASKS)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def balancer(world: World) -> Balancer:
    return Balancer(world.new_listener, "load balancer swarm-app")


def test_a_pass_withdraws_the_targets_of_a_draining_node(world: World, balancer: Balancer) -> None:
    balancer.publish(shop())
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768), ("i-wkr2", 32768)}
    balancer.publish(shop(draining=True))
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768)}


def test_a_target_that_could_not_be_withdrawn_is_an_error_that_names_it(
    world: World, balancer: Balancer
) -> None:
    balancer.publish(shop())

    def throttled(name: str, arguments: object) -> None:
        if name == "DeregisterTargets":
            raise RefusedError("Throttling", "Rate exceeded")

    world.elb.hook = throttled
    with pytest.raises(SwarmctlError, match="still targets: i-wkr2:32768"):
        balancer.publish(shop(draining=True))


def test_the_trouble_of_another_service_does_not_hinder_a_move(
    world: World, balancer: Balancer
) -> None:
    elsewhere = [*NODES, node("wkr_9", addr="10.42.0.99")]
    services = [http("shop_web", "/*"), http("shop_odd", "/odd")]
    balancer.publish(swarm(elsewhere, services, [*TASKS, runs("shop_odd", "wkr_9", 32768)]))
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768), ("i-wkr2", 32768)}


def test_a_new_replica_is_awaited_until_the_load_balancer_calls_it_healthy(
    world: World, balancer: Balancer
) -> None:
    endpoints = catalogue(shop()).endpoints
    balancer.publish(shop(draining=True))
    assert balancer.not_ready(endpoints) == "i-wkr2:32768 is not registered"
    balancer.publish(shop())
    assert balancer.not_ready(endpoints) == ""


def test_a_replica_where_the_load_balancer_cannot_send_anything_is_not_ready(
    balancer: Balancer,
) -> None:
    """Broken: the only replica that requests went to is stopped."""
    elsewhere = [*NODES, node("wkr_9", addr="10.42.0.99")]
    there = swarm(elsewhere, [http("shop_web", "/*")], [runs("shop_web", "wkr_9", 32768)])
    balancer.publish(there)
    assert balancer.not_ready(catalogue(there).endpoints) == (
        "10.42.0.99 is the address of no running instance of the cluster"
    )


@pytest.mark.parametrize(("label", "seconds"), [("60", 60.0), ("0", 5.0), ("", 30.0)])
def test_its_lag_is_the_deregistration_delay(
    balancer: Balancer, label: str, seconds: float
) -> None:

    found = catalogue(shop(delay=label))
    assert balancer.lag(found, found.endpoints) == seconds
    assert balancer.lag(found, ()) == 0.0
