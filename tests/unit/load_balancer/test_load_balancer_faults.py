"""The load balancer's listener when AWS fails, when it is killed, and with others at work."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import Outlet, PublishError
from swarmctl.discovery.listeners.load_balancer import listener
from swarmctl.errors import SwarmctlError
from swarmctl.wait import wait_for
from tests.unit.load_balancer.balanced import World, edition, http, runs, settled
from tests.unit.load_balancer.elb import WRITES, RefusedError

Arguments = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


def fifty(port: int = 32768) -> Edition:
    """Fifty services of a replica each."""
    names = [f"s{n:02}" for n in range(50)]
    services = [http(name, f"/{name}/*") for name in names]
    return edition(services, [runs(name, "wkr_1", port + n) for n, name in enumerate(names)])


ALL = fifty()


def about(service: str) -> Callable[[str, Arguments], bool]:
    """Whether a writing call is about a service."""
    return lambda name, arguments: name in WRITES and f"-{service}-" in str(arguments)


def failing(
    which: Callable[[str, Arguments], bool], code: str = "InternalFailure"
) -> Callable[[str, Arguments], None]:
    def hook(name: str, arguments: Arguments) -> None:
        if which(name, arguments):
            raise RefusedError(code, "it is poisoned")

    return hook


def assert_complete(world: World, services: int = 50) -> None:
    """Exactly one group, target and rule for each service."""
    assert len(world.elb.groups) == len(world.elb.rules) == services
    assert all(len(group.targets) == 1 for group in world.elb.groups.values())
    assert world.elb.writes(lambda: world.new_listener().publish(ALL)) == {}


def test_a_poisoned_service_delays_none_of_the_other_49(world: World) -> None:
    world.elb.hook = failing(about("s17"))
    with pytest.raises(PublishError, match=r"^s17: .*it is poisoned$"):
        world.listener.publish(ALL)
    assert len(world.elb.rules) == 49
    moved = fifty(40000)
    with pytest.raises(PublishError, match=r"^s17: "):
        world.listener.publish(moved)
    ports = {port for group in world.elb.groups.values() for _, port in group.targets}
    assert {40000 + n for n in range(50) if n != 17} <= ports
    world.elb.hook = lambda name, arguments: None
    settled(world, moved)
    assert len(world.elb.rules) == 50


def test_a_poisoned_service_is_tried_again_with_growing_pauses(world: World) -> None:
    world.elb.hook = failing(about("s17"))
    tries: list[float] = []
    for _ in range(12):
        world.elb.calls.clear()
        with pytest.raises(PublishError) as caught:
            world.listener.publish(ALL)
        if world.elb.calls["CreateTargetGroup"]:
            tries.append(world.now)
        world.now += caught.value.retry_s
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert 0.3 < pauses[0] < 1
    assert pauses[-1] > 4 * pauses[0]


def test_while_a_poisoned_service_waits_an_unchanged_swarm_makes_no_call(world: World) -> None:
    world.elb.hook = failing(about("s17"))
    for _ in range(2):
        with pytest.raises(PublishError):
            world.listener.publish(ALL)
        world.elb.calls.clear()
    with pytest.raises(PublishError):
        world.listener.publish(ALL)
    assert not world.elb.calls


def test_new_labels_of_a_service_that_failed_are_tried_at_once(world: World) -> None:
    world.elb.hook = failing(lambda name, arguments: "/bad" in str(arguments))
    task = [runs("shop_web", "wkr_1", 32768)]
    with pytest.raises(PublishError):
        world.listener.publish(edition([http("shop_web", "/bad/*")], task))
    world.listener.publish(edition([http("shop_web", "/good/*")], task))
    assert [path for _, path in world.elb.routing()] == ["/good/*"]


@pytest.mark.parametrize("code", ["InternalFailure", "Throttling"])
def test_it_converges_after_aws_refused_everything(world: World, code: str) -> None:
    world.elb.hook = failing(lambda *_: True, code)
    for _ in range(5):
        with pytest.raises(SwarmctlError):
            world.listener.publish(ALL)
        world.now += 10
    world.elb.hook = lambda name, arguments: None
    settled(world, ALL)
    assert_complete(world)


def test_it_converges_though_every_fifth_call_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hundred calls of a comparison with all that is there never all succeed.
    monkeypatch.setattr(listener, "READ_AGAIN_S", math.inf)
    draw = random.Random(1)
    world.elb.hook = failing(lambda *_: draw.random() < 0.2, "Throttling")
    settled(world, ALL, passes=200)
    world.elb.hook = lambda name, arguments: None
    assert_complete(world)


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("calls", range(1, 9))
def test_killed_at_any_call_the_next_process_completes_it_and_leaves_nothing_twice(
    world: World, calls: int
) -> None:
    left = iter(range(calls))
    wanted = edition([http("s00", "/s00/*")], [runs("s00", "wkr_1", 32768)])

    def die(name: str, _: Arguments) -> None:
        if name in WRITES and next(left, None) is None:
            raise KilledError

    world.elb.hook = die
    with contextlib.suppress(KilledError):
        world.listener.publish(wanted)
    world.elb.hook = lambda name, arguments: None
    world.listener = world.new_listener()
    world.listener.publish(wanted)
    assert len(world.elb.groups) == len(world.elb.rules) == 1
    assert world.elb.targets("s00") == {("i-wkr1", 32768)}
    world.listener = world.new_listener()
    world.listener.publish(edition([], []))
    assert not world.elb.groups
    assert not world.elb.rules


def test_an_orphaned_target_group_of_ours_is_removed_by_the_next_process(world: World) -> None:
    world.listener.publish(ALL)
    world.elb.rules.clear()
    world.listener = world.new_listener()
    assert world.writes(edition([], [])) == {"DeleteTargetGroup": 50}


def test_two_agents_at_once_do_no_harm(world: World) -> None:
    """Broken: the second one fails on DuplicateTargetGroupName, or makes every rule twice."""
    other = World()
    other.elb = world.elb
    other.listener = other.new_listener()
    both = [
        threading.Thread(target=settled, args=(each, ALL), daemon=True) for each in (world, other)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
        assert not thread.is_alive()
    assert_complete(world)


def test_another_agents_group_and_rule_that_came_after_reading_are_used(world: World) -> None:
    wanted = edition([http("s00", "/s00/*")], [runs("s00", "wkr_1", 32768)])
    other = world.new_listener()
    other.publish(edition([], []))  # it has read that there is nothing
    world.listener.publish(wanted)
    with pytest.raises(PublishError, match="PriorityInUse"):
        other.publish(wanted)
    world.now += 1
    world.listener, first = other, world.listener
    assert world.writes(wanted) == {}
    assert len(world.elb.groups) == len(world.elb.rules) == 1
    first.publish(edition([], []))
    world.now += 601
    assert world.writes(edition([], [])) == {}


def test_a_target_group_that_is_still_in_use_is_removed_later(world: World) -> None:
    world.listener.publish(ALL)
    world.elb.hook = failing(lambda name, _: name == "DeleteTargetGroup", "ResourceInUse")
    with pytest.raises(PublishError, match="ResourceInUse"):
        world.listener.publish(edition([], []))
    world.elb.hook = lambda name, arguments: None
    settled(world, edition([], []))
    assert not world.elb.groups


def test_one_target_that_aws_refuses_does_not_stop_the_others_of_its_call(world: World) -> None:
    world.elb.running.discard("i-wkr2")
    tasks = [runs("s00", "wkr_1", 32768, 1), runs("s00", "wkr_2", 32768, 2)]
    wanted = edition([http("s00", "/s00/*")], tasks)
    with pytest.raises(PublishError, match=r"s00: i-wkr2:32768: .*InvalidTarget"):
        world.listener.publish(wanted)
    assert world.elb.targets("s00") == {("i-wkr1", 32768)}
    world.elb.running.add("i-wkr2")
    settled(world, wanted)
    assert world.elb.targets("s00") == {("i-wkr1", 32768), ("i-wkr2", 32768)}


def test_at_a_quota_the_old_targets_make_room_for_the_new_ones(world: World) -> None:
    """Broken: an instance with a hundred registered ports gets no new one before others go."""
    world.listener.publish(ALL)
    full = {"yes": True}

    def refuse(name: str, _: Arguments) -> None:
        if name == "DeregisterTargets":
            full.clear()
        if name == "RegisterTargets" and full:
            raise RefusedError("TooManyRegistrationsForTargetId", "100 are registered")

    world.elb.hook = refuse
    world.listener.publish(edition([http("s00", "/s00/*")], [runs("s00", "wkr_1", 40000)]))
    assert world.elb.targets("s00") == {("i-wkr1", 40000)}


def test_a_new_service_moves_no_existing_rule(world: World) -> None:
    world.listener.publish(ALL)
    names = [f"s{n:02}" for n in range(50)]
    more = edition(
        [http("new", "/s99/*"), *(http(name, f"/{name}/*") for name in names)],
        [
            runs("new", "wkr_2", 1),
            *(runs(name, "wkr_1", 32768 + n) for n, name in enumerate(names)),
        ],
    )
    assert world.writes(more) == {
        "CreateTargetGroup": 1,
        "ModifyTargetGroupAttributes": 1,
        "RegisterTargets": 1,
        "CreateRule": 1,
    }


def test_targets_are_changed_before_new_services_and_a_newer_edition_stops_the_rest(
    world: World,
) -> None:
    """Broken: a dead machine keeps its targets while fifty new services are set up."""
    web = [http("web", "/*")]
    world.listener.publish(edition(web, [runs("web", "wkr_1", 1)]))
    names = [f"s{n:02}" for n in range(50)]
    services = [*web, *(http(name, f"/{name}/*") for name in names)]
    tasks = [runs(name, "wkr_1", 32768 + n) for n, name in enumerate(names)]
    world.listener.superseded = lambda: world.elb.calls["CreateTargetGroup"] >= 3
    world.elb.calls.clear()
    world.elb.log.clear()
    world.listener.publish(edition(services, [*tasks, runs("web", "wkr_2", 2)]))
    assert [name for name, _ in world.elb.log[:2]] == ["RegisterTargets", "DeregisterTargets"]
    assert world.elb.targets("web") == {("i-wkr2", 2)}
    assert world.elb.calls["CreateRule"] == 3
    world.listener.superseded = lambda: False
    world.listener.publish(edition(services, [*tasks, runs("web", "wkr_2", 3)]))
    assert len(world.elb.rules) == 51


def test_an_outlet_tells_a_slow_listener_of_a_newer_edition() -> None:
    class Slow:
        name = "aws"
        refresh_s: float | None = None
        superseded: Callable[[], bool] = staticmethod(lambda: False)

        def __init__(self) -> None:
            self.published: list[int] = []

        def publish(self, edition: Edition) -> None:
            if edition.index == 1:
                wait_for("it", lambda: (self.superseded() or None, ""), timeout=10, interval=0.005)
            self.published.append(edition.index)

    listener = Slow()
    outlet = Outlet(listener, lambda _: None)
    outlet.offer(ALL)
    outlet.offer(Edition(ALL.catalogue, (), 2))
    wait_for("both", lambda: (outlet.state.index == 2 or None, ""), timeout=10, interval=0.005)
    outlet.close()
    assert listener.published[-1] == 2


def test_a_listener_that_waits_after_a_failure_publishes_a_newer_edition_at_once() -> None:
    """Broken: one poisoned service holds back the changes of all others for up to a minute."""

    class Poisoned:
        name = "aws"
        refresh_s: float | None = None

        def __init__(self) -> None:
            self.published: list[int] = []

        def publish(self, edition: Edition) -> None:
            self.published.append(edition.index)
            if edition.index == 1:
                raise PublishError("poisoned", 3600)

    listener = Poisoned()
    outlet = Outlet(listener, lambda _: None)
    first = ALL
    outlet.offer(first)
    wait_for("the failure", lambda: (outlet.state.failures or None, ""), timeout=10, interval=0.005)
    outlet.offer(Edition(ALL.catalogue, (), 2))
    wait_for("it", lambda: (outlet.state.index == 2 or None, ""), timeout=10, interval=0.005)
    outlet.close()
    assert listener.published == [1, 2]


def test_an_unchanged_edition_is_published_again_when_the_listener_asks_for_it() -> None:
    """Broken: what somebody changed in AWS is put right only when the Swarm changes."""

    class Refreshing:
        name = "aws"
        refresh_s: float | None = 0.01
        count = 0

        def publish(self, _: Edition) -> None:
            self.count += 1

    listener = Refreshing()
    outlet = Outlet(listener, lambda _: None)
    outlet.offer(ALL)
    wait_for("three", lambda: (listener.count >= 3 or None, ""), timeout=10, interval=0.005)
    outlet.close()
