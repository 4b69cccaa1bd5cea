"""While a run lasts, only targets that get requests are named."""

from __future__ import annotations

from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.discovery.check.target_groups import TargetGroups
from tests.unit.load_balancer.balanced import CLUSTER, World, edition, http, runs


def test_many_groups_are_asked_for_less_often() -> None:
    """Broken: a run takes the account's calls away from the agent."""
    world = World()
    asked = TargetGroups(CLUSTER, ElbApi(world.elb.client), lambda: world.instances)
    assert asked.every_s == 1
    names = [f"s{n}" for n in range(8)]
    tasks = [runs(name, "wkr_1", 32768 + n) for n, name in enumerate(names)]
    world.listener.publish(edition([http(name, f"/{name}/*") for name in names], tasks))
    asked.ask([])
    assert asked.every_s == 2


def test_a_target_that_health_checks_took_out_is_not_stale() -> None:
    """Broken: it counts as stale for as long as it is registered, though nothing is sent there."""
    world = World()
    tasks = [runs("auth", "wkr_1", 32768), runs("auth", "wkr_2", 32769, 2)]
    world.listener.publish(edition([http("auth", "/auth/*")], tasks))
    asked = TargetGroups(CLUSTER, ElbApi(world.elb.client), lambda: world.instances, in_use=True)
    (group,) = world.elb.groups.values()
    first, second = sorted(group.targets)
    one, two = "10.42.0.5:32768", "10.42.0.6:32769"
    group.targets |= {first: "healthy", second: "unhealthy"}
    assert asked.ask([]).places == {"auth": {one}}
    group.targets |= {first: "unhealthy"}  # fail-open: all get requests
    assert asked.ask([]).places == {"auth": {one, two}}
