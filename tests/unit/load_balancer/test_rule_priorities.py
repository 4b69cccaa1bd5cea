"""Priorities of rules beside rules that were made by hand, and services for which none is free."""

from __future__ import annotations

import pytest

from swarmctl.discovery.listeners.listener import PublishError
from tests.unit.load_balancer.balanced import World, edition, http, runs, settled


@pytest.fixture
def world() -> World:
    return World()


def hand_made(world: World, priority: int) -> None:
    world.elb.client.create_rule(
        ListenerArn=f"{world.balancer}/listener/80",
        Priority=priority,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/hand"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": "arn:tg/hand"}],
        Tags=[{"Key": "x", "Value": "y"}],
    )


def test_a_derived_priority_avoids_a_foreign_rule_and_an_explicit_one_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.elb, "_group", lambda arn: None)
    hand_made(world, 10)
    monkeypatch.undo()
    derived = edition([http("s00", "/s00/*")], [runs("s00", "wkr_1", 32768)])
    explicit = edition([http("s00", "/s00/*", priority="10")], [runs("s00", "wkr_1", 32768)])
    with pytest.raises(PublishError, match="s00: another rule of HTTP:80 has the priority 10"):
        world.listener.publish(explicit)
    assert [path for _, path in world.elb.routing()] == ["/hand"]
    settled(world, derived)
    (mine,) = [priority for priority, path in world.elb.routing() if path == "/s00/*"]
    world.elb.rules.clear()
    monkeypatch.setattr(world.elb, "_group", lambda arn: None)
    hand_made(world, mine)
    monkeypatch.undo()
    world.listener = world.new_listener()
    world.listener.publish(derived)
    assert len({priority for priority, _ in world.elb.routing()}) == 2


def test_targets_of_a_service_whose_rule_cannot_be_made_follow_the_swarm_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: what died stays a target for up to a minute, and a new replica gets no request."""
    tasks = [runs("s00", "wkr_1", 32768), runs("s00", "wkr_2", 32769, 2)]
    world.listener.publish(edition([http("s00", "/s00/*")], tasks))
    monkeypatch.setattr(world.elb, "_group", lambda arn: None)
    hand_made(world, 10)
    monkeypatch.undo()
    world.listener = world.new_listener()
    explicit = [http("s00", "/s00/*", priority="10")]
    for _ in range(8):
        with pytest.raises(PublishError, match="has the priority 10"):
            world.listener.publish(edition(explicit, tasks))
        world.now += 80
    for running in (tasks[:1], tasks[1:], tasks):
        world.now += 1
        with pytest.raises(PublishError, match="has the priority 10"):
            world.listener.publish(edition(explicit, running))
        assert len(world.elb.targets("s00")) == len(running)
        world.elb.calls.clear()
        with pytest.raises(PublishError, match="has the priority 10"):
            world.listener.publish(edition(explicit, running))
        assert not world.elb.calls


def test_priorities_are_exchanged_in_one_call(world: World) -> None:
    tasks = [runs("a", "wkr_1", 32768), runs("b", "wkr_1", 32769)]
    world.listener.publish(
        edition([http("a", "/a", priority="1"), http("b", "/b", priority="2")], tasks)
    )
    swapped = edition([http("a", "/a", priority="2"), http("b", "/b", priority="1")], tasks)
    assert world.writes(swapped) == {"SetRulePriorities": 1}
    assert world.elb.routing() == [(1, "/b"), (2, "/a")]
