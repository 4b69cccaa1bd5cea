"""``discovery sync``: one pass of all listeners that publish in AWS, by the command's options."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmctl.cli import main as cli
from swarmctl.cluster import Target, named
from swarmctl.discovery.listeners import aws
from swarmctl.discovery.listeners.aws import Aws
from swarmctl.discovery.listeners.listener import Publisher
from swarmctl.discovery.sync import sync
from swarmctl.errors import SwarmctlError, UsageError
from tests.unit.discovery.shop import NODES
from tests.unit.engine_json import swarm
from tests.unit.load_balancer.balanced import World, edition, http, runs
from tests.unit.load_balancer.elb import RefusedError

SHOP = swarm(NODES, [http("shop_web", "/*")], [runs("shop_web", "wkr_1", 32768)])
IN_AWS = Aws(cluster="swarm_app")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def listener(_: str, note: Callable[[str], None]) -> Publisher:
        made.listener = made.new_listener()
        made.listener.note = note
        return made.listener

    monkeypatch.setattr(aws, "load_balancer", listener)
    monkeypatch.delenv("SWARMCTL_CLUSTER", raising=False)
    return made


def owner() -> str:
    return "the Swarm's id"


def test_a_dry_run_shows_what_the_next_run_does(world: World) -> None:
    shown = sync(SHOP, IN_AWS, owner, dry_run=True)
    assert not world.elb.groups
    assert sync(SHOP, IN_AWS, owner, dry_run=False) == shown
    assert shown[0].startswith("load-balancer: + target group ")
    assert len(world.elb.rules) == 1
    assert sync(SHOP, IN_AWS, owner, dry_run=False) == []


def test_a_pass_while_an_agent_runs_does_no_harm(world: World) -> None:
    agent = world.new_listener()
    wanted = edition([http("shop_web", "/*")], [runs("shop_web", "wkr_1", 32768)])
    agent.publish(wanted)
    sync(swarm(NODES, [http("shop_web", "/*")], []), IN_AWS, owner, dry_run=False)
    assert world.elb.targets("shop-web") == set()
    gone = edition([http("shop_web", "/*")], [])
    assert world.elb.writes(lambda: agent.publish(gone)) == {"DeregisterTargets": 1}
    assert len(world.elb.rules) == 1


def test_what_failed_is_named_with_the_listener(world: World) -> None:
    def refuse(*_: object) -> None:
        raise RefusedError("AccessDenied", "not allowed")

    world.elb.hook = refuse
    with pytest.raises(SwarmctlError, match=r"^load-balancer: .*AccessDenied: not allowed"):
        sync(SHOP, IN_AWS, owner, dry_run=False)


def test_what_was_changed_before_a_failure_is_shown_and_a_failure_is_no_change(
    world: World,
) -> None:
    """Broken: half of it is made, and nothing says which half."""

    def refuse(operation: str, *_: object) -> None:
        if operation == "CreateRule":
            raise RefusedError("AccessDenied", "not allowed")

    world.elb.hook = refuse
    shown: list[str] = []
    with pytest.raises(SwarmctlError, match="AccessDenied"):
        sync(SHOP, IN_AWS, owner, dry_run=False, show=shown.append)
    assert shown[0].startswith("load-balancer: + target group ")
    assert len(world.elb.groups) == 1
    assert not [line for line in shown if "trying again" in line]
    world.elb.hook = lambda *_: None
    made = sync(SHOP, IN_AWS, owner, dry_run=False, show=shown.append)
    assert [line.split()[:3] for line in made] == [["load-balancer:", "+", "rule"]]


def test_without_a_cluster_and_a_namespace_there_is_nowhere_to_publish(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["discovery", "sync", "--host", "unix:///none"]) == 2
    assert "there is nowhere to publish" in capsys.readouterr().err


def test_the_clusters_name_is_known_with_a_host_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWARMCTL_CLUSTER", raising=False)
    assert named(Target(()), None) == ""
    assert named(Target(()), "given") == "given"
    assert named(Target((), "found"), "given") == "found"
    monkeypatch.setenv("SWARMCTL_CLUSTER", "environment")
    assert named(Target(()), None) == "environment"
    with pytest.raises(UsageError):
        named(Target(()), "no name!")
