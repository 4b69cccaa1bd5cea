"""The load balancer's listener: what it makes, in which order, and the least changes."""

from __future__ import annotations

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cloud.words import CloudError
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.errors import SwarmctlError
from tests.unit.discovery.shop import NODES
from tests.unit.engine_json import node
from tests.unit.load_balancer.balanced import World, edition, http, runs

WEB = [http("shop_web", "/*")]
TWO = edition(WEB, [runs("shop_web", "wkr_1", 32768, 1), runs("shop_web", "wkr_2", 32768, 2)])
REPLACED = edition(WEB, [runs("shop_web", "wkr_1", 32768, 1), runs("shop_web", "wkr_2", 32770, 2)])
NONE = edition([], [])


@pytest.fixture
def world() -> World:
    return World()


def test_a_service_with_labels_gets_a_target_group_a_rule_and_its_targets(world: World) -> None:
    assert world.writes(TWO) == {
        "CreateTargetGroup": 1,
        "ModifyTargetGroupAttributes": 1,
        "RegisterTargets": 1,
        "CreateRule": 1,
    }
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768), ("i-wkr2", 32768)}
    (group,), (rule,) = world.elb.groups.values(), world.elb.rules.values()
    assert rule["Actions"] == [
        {"Type": "forward", "TargetGroupArn": group.raw["TargetGroupArn"]},
    ]
    assert group.attributes["deregistration_delay.timeout_seconds"] == "30"
    for arn in (group.raw["TargetGroupArn"], rule["RuleArn"]):
        assert world.elb.tags[arn] == {
            "swarmctl:cluster": "swarm_app",
            "swarmctl:owner": "discovery",
            "swarmctl:service": "shop_web",
        }


def test_targets_are_registered_before_the_rule_appears_and_the_rule_goes_before_the_group(
    world: World,
) -> None:
    """Broken: a new service answers 503 until its first target is registered."""
    world.listener.publish(TWO)
    world.listener.publish(NONE)
    order = [name for name, _ in world.elb.log]
    assert order.index("RegisterTargets") < order.index("CreateRule")
    assert order.index("DeleteRule") < order.index("DeleteTargetGroup")


def test_an_unchanged_swarm_is_one_read_a_minute_and_a_new_process_writes_nothing(
    world: World,
) -> None:
    world.listener.publish(TWO)
    world.elb.calls.clear()
    for _ in range(10):
        world.now += 5.9
        world.listener.publish(TWO)
    assert not world.elb.calls
    assert world.ec2_calls == 1
    world.now += 5
    world.listener.publish(TWO)
    assert world.elb.calls == {"DescribeListeners": 1}
    world.listener = world.new_listener()
    assert world.writes(TWO) == {}


def test_a_replaced_task_is_one_register_and_one_deregister(world: World) -> None:
    world.listener.publish(TWO)
    assert world.writes(REPLACED) == {"RegisterTargets": 1, "DeregisterTargets": 1}
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768), ("i-wkr2", 32770)}
    order = [name for name, _ in world.elb.log[-2:]]
    assert order == ["RegisterTargets", "DeregisterTargets"]


def test_a_target_that_drains_is_registered_again_when_its_port_serves_again(world: World) -> None:
    world.listener.publish(TWO)
    world.listener.publish(REPLACED)
    world.listener = world.new_listener()
    assert world.writes(TWO) == {"RegisterTargets": 1, "DeregisterTargets": 1}
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768), ("i-wkr2", 32768)}


def test_many_targets_of_a_service_are_one_call(world: World) -> None:
    tasks = [runs("shop_web", "wkr_1", 32768 + n, n + 1) for n in range(60)]
    assert world.writes(edition(WEB, tasks))["RegisterTargets"] == 1
    assert len(world.elb.targets("shop-web")) == 60


def test_a_removed_stack_leaves_nothing(world: World) -> None:
    world.listener.publish(TWO)
    assert world.writes(NONE) == {"DeleteRule": 1, "DeleteTargetGroup": 1}
    assert not world.elb.rules
    assert not world.elb.groups


def test_a_service_without_replicas_keeps_its_rule_but_gets_none_before_the_first(
    world: World,
) -> None:
    """Broken: its requests go to the service with the path /* meanwhile."""
    assert world.writes(edition(WEB, [])) == {}
    world.listener.publish(TWO)
    assert world.writes(edition(WEB, [])) == {"DeregisterTargets": 1}
    assert world.elb.rules


def test_a_changed_label_changes_only_what_it_names(world: World) -> None:
    world.listener.publish(TWO)
    tasks = [runs("shop_web", "wkr_1", 32768, 1), runs("shop_web", "wkr_2", 32768, 2)]
    slower = edition([http("shop_web", "/*", health_interval="20s")], tasks)
    assert world.writes(slower) == {"ModifyTargetGroup": 1}
    assert world.elb.log[-1][1]["HealthCheckIntervalSeconds"] == 20
    sticky = edition([http("shop_web", "/*", health_interval="20s", sticky="true")], tasks)
    assert world.writes(sticky) == {"ModifyTargetGroupAttributes": 1}
    moved = edition(
        [http("shop_web", "/*", health_interval="20s", sticky="true", host="a.example.org")], tasks
    )
    assert world.writes(moved) == {"ModifyRule": 1, "SetRulePriorities": 1}


def test_the_prefix_is_cut_off_by_a_transform(world: World) -> None:
    both = [http("shop_web", "/shop/*, /shop", strip_prefix="/shop")]
    tasks = [runs("shop_web", "wkr_1", 32768)]
    world.listener.publish(edition(both, tasks))
    (rule,) = world.elb.rules.values()
    rewrites = [{"Regex": "^/shop/?(.*)$", "Replace": "/$1"}]
    assert rule["Transforms"] == [
        {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": rewrites}}
    ]
    plain = edition([http("shop_web", "/shop/*, /shop")], tasks)
    assert world.writes(plain) == {"ModifyRule": 1}
    assert "Transforms" not in rule


def test_every_listener_that_forwards_gets_the_rule_and_a_redirecting_one_does_not(
    world: World,
) -> None:
    https = world.elb.add_listener(world.balancer, 443)
    world.elb.add_listener(world.balancer, 8080, "redirect")
    world.listener.publish(TWO)
    assert {arn.partition("/rule/")[0] for arn in world.elb.rules} == {
        f"{world.balancer}/listener/80",
        https,
    }


def test_what_others_made_is_never_touched(world: World) -> None:
    elb = world.elb
    listener = f"{world.balancer}/listener/80"
    for name, tags in (
        ("swarm-ap-theirs", {}),
        ("swarm-ap-other", {"swarmctl:cluster": "swarm_app2", "swarmctl:owner": "discovery"}),
        ("swarm-ap-hand", {"swarmctl:cluster": "swarm_app"}),
    ):
        made = elb.client.create_target_group(
            Name=name, Tags=[{"Key": k, "Value": v} for k, v in tags.items()] or [
                {"Key": "x", "Value": "y"}
            ],
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        elb.client.create_rule(
            ListenerArn=listener,
            Priority=len(elb.rules) + 1,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": made}],
            Tags=[{"Key": "x", "Value": "y"}],
        )
    before = {arn: dict(rule) for arn, rule in elb.rules.items()}
    world.listener.publish(TWO)
    world.listener.publish(NONE)
    assert {g.raw["TargetGroupName"] for g in elb.groups.values()} == {
        "swarm-ap-theirs", "swarm-ap-other", "swarm-ap-hand",
    }  # fmt: skip
    assert elb.rules == before


def test_a_target_that_somebody_else_registered_in_our_group_stays(world: World) -> None:
    world.listener.publish(TWO)
    (group,) = world.elb.groups.values()
    group.targets["i-legacy", 80] = "healthy"
    world.listener = world.new_listener()
    world.listener.publish(REPLACED)
    assert ("i-legacy", 80) in world.elb.targets("shop-web")


def test_what_was_changed_behind_its_back_is_put_right_after_ten_minutes(world: World) -> None:
    world.listener.publish(TWO)
    (group,) = world.elb.groups.values()
    group.targets.clear()
    group.attributes["deregistration_delay.timeout_seconds"] = "300"
    world.elb.rules.clear()
    assert world.writes(TWO) == {}
    world.now = 601
    assert world.writes(TWO) == {
        "ModifyTargetGroupAttributes": 1,
        "RegisterTargets": 1,
        "CreateRule": 1,
    }


def test_without_a_load_balancer_nothing_is_made_and_a_new_one_is_found(world: World) -> None:
    balancer = world.elb.balancers.pop(world.balancer)
    assert world.writes(TWO) == {}
    world.elb.balancers[world.balancer] = balancer
    world.now = 61
    assert world.writes(TWO)["CreateRule"] == 1


def test_a_listener_that_the_playbooks_add_gets_its_rules_within_a_minute(world: World) -> None:
    world.listener.publish(TWO)
    world.elb.add_listener(world.balancer, 443)
    world.now = 61
    assert world.writes(TWO) == {"CreateRule": 1}


def test_a_load_balancer_that_was_made_anew_is_used_within_a_minute(world: World) -> None:
    world.listener.publish(TWO)
    del world.elb.balancers[world.balancer]
    world.elb.listeners.clear()
    world.elb.rules.clear()
    world.elb.add_balancer("new", "swarm_app")
    world.now = 61
    assert world.writes(TWO) == {"CreateRule": 1}


@pytest.mark.parametrize("tag", ["swarm_*", "Swarm_app", "swarm_app2", ""])
def test_only_the_load_balancer_with_exactly_the_clusters_tag_is_used(
    world: World, tag: str
) -> None:
    world.elb.tags[world.balancer] = {"swarmctl:cluster": tag}
    assert world.writes(TWO) == {}


def test_a_second_load_balancer_with_the_tag_is_an_error_that_names_both(world: World) -> None:
    world.elb.add_balancer("other", "swarm_app")
    world.elb.add_balancer("network", "swarm_app", "network")
    with pytest.raises(SwarmctlError, match="several application load balancers: other, swarm-app"):
        world.listener.publish(TWO)


def test_another_clusters_swarm_is_refused_before_anything_is_removed(world: World) -> None:
    """Broken: --host names one Swarm and --cluster another: all target groups are removed."""
    world.listener.publish(TWO)
    world.instances = [each for each in world.instances if each.private_ip == "10.9.9.9"]
    world.listener = world.new_listener()
    with pytest.raises(SwarmctlError, match="no node of this Swarm is an instance of the cluster"):
        world.listener.publish(NONE)
    assert world.elb.rules


def test_an_endpoint_without_an_instance_is_named_and_the_others_are_published(
    world: World,
) -> None:
    world.instances = [each for each in world.instances if each.name != "wkr_2"]
    with pytest.raises(PublishError, match=r"shop_web: no running instance .* 10\.42\.0\.6"):
        world.listener.publish(TWO)
    assert world.elb.targets("shop-web") == {("i-wkr1", 32768)}


def test_while_ec2_does_not_answer_only_services_at_unknown_addresses_wait(world: World) -> None:
    world.listener.publish(TWO)

    def refuse() -> list[Instance]:
        raise CloudError("EC2 is out")

    world.listener.instances.read = refuse
    world.now = 30
    other = http("shop_new", "/new")
    tasks = [runs("shop_web", "wkr_1", 40000), runs("shop_new", "wkr_9", 40001)]
    nodes = [*NODES, node("wkr_9", addr="10.42.0.9")]
    with pytest.raises(PublishError, match=r"^shop_new: no running instance .*10\.42\.0\.9$"):
        world.listener.publish(edition([*WEB, other], tasks, nodes))
    assert world.elb.targets("shop-web") == {("i-wkr1", 40000)}


def test_a_dry_run_shows_every_change_and_writes_nothing(world: World) -> None:
    lines: list[str] = []
    assert world.elb.writes(lambda: lines.extend(world.listener.changes(TWO))) == {}
    name = next(line.split()[3] for line in lines if line.startswith("+ target group"))
    assert lines[:3] == [
        f"+ target group {name} for shop_web",
        f"+ target i-wkr1:32768 in {name}",
        f"+ target i-wkr2:32768 in {name}",
    ]
    assert lines[3].startswith("+ rule HTTP:80 ")
    assert lines[3].endswith(f": /* to {name}")
    world.listener.publish(TWO)
    assert world.notes == lines
