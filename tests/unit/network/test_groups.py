"""A cluster's security groups are compared with what the playbooks would set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cloud.rules import (
    LOAD_BALANCER,
    MANAGER,
    NODES,
    WORKER,
    Openings,
    Rule,
    group_name,
    wanted_rules,
)
from swarmctl.cloud.security_groups import SecurityGroup, security_group
from swarmctl.network.finding import Finding, Severity
from swarmctl.network.groups import compare_groups

OPENINGS = Openings("198.51.100.7/32", ("80", "53/udp"), "203.0.113.0/24")
BALANCED = replace(OPENINGS, load_balancer_cidrs=("0.0.0.0/0",))
IDS = {MANAGER: "sg-mgr", WORKER: "sg-wkr", LOAD_BALANCER: "sg-alb"}
SOURCES = {NODES: ("sg-mgr", "sg-wkr"), LOAD_BALANCER: ("sg-alb",)}


def as_provisioned(role: str, openings: Openings = OPENINGS) -> SecurityGroup:
    rules = [
        replace(rule, source=source)
        for rule in wanted_rules(role, openings)
        for source in SOURCES.get(rule.source, (rule.source,))
    ]
    return SecurityGroup(IDS[role], group_name("shop", role), tuple(rules), openings.tags())


def instance(name: str, role: str, *groups: str) -> Instance:
    return Instance(
        f"i-{name}", name, role, "running", "10.0.0.1", "", "a", "admin", "shop", groups=groups
    )


INSTANCES = (instance("mgr1", MANAGER, "sg-mgr"), instance("wkr1", WORKER, "sg-wkr"))


def compared(*changed: SecurityGroup, instances: tuple[Instance, ...] = INSTANCES) -> list[Finding]:
    groups = {group.id: group for group in map(as_provisioned, (MANAGER, WORKER))}
    return [*compare_groups("shop", instances, groups | {g.id: g for g in changed})]


def workers(*more: Rule, without: str = "") -> SecurityGroup:
    group = as_provisioned(WORKER)
    return replace(group, rules=(*(r for r in group.rules if r.use != without), *more))


def test_groups_as_provisioned_have_no_finding() -> None:
    assert compared() == []


@pytest.mark.parametrize(
    ("use", "what"),
    [
        ("Overlay networks (VXLAN)", "closed: 4789/udp from the nodes (Overlay networks (VXLAN))"),
        (
            "Encrypted overlay networks (ESP)",
            "closed: protocol 50 from the nodes (Encrypted overlay networks (ESP))",
        ),
        ("SSH", "closed: 22/tcp from 198.51.100.7/32 (SSH)"),
    ],
)
def test_a_rule_that_is_missing_is_an_error_with_the_command_that_sets_it(
    use: str, what: str
) -> None:
    (found,) = compared(workers(without=use))
    assert (found.place, found.what, found.severity) == ("shop_wkr_sg", what, Severity.ERROR)
    assert found.remedy == "ansible-playbook playbooks/provision.yml --tags security_groups"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("tcp", 22, 22, "0.0.0.0/0"),
        Rule("tcp", 20, 30, "::/0"),
        Rule("all", -1, -1, "10.0.0.0/8"),
        Rule("tcp", 2375, 2375, "10.0.0.0/8"),
        Rule("tcp", 2000, 3000, "10.0.0.0/8"),
        Rule("udp", 4789, 4789, "10.0.0.0/8"),
        Rule("50", -1, -1, "10.0.0.0/8"),
    ],
)
def test_what_is_exposed_is_an_error(rule: Rule) -> None:
    (found,) = compared(workers(rule))
    assert found.what == f"open, and should not be: {rule}"
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    "rule", [Rule("tcp", 9100, 9100, "10.0.0.0/8"), Rule("tcp", 22, 22, "198.51.100.9/32")]
)
def test_another_rule_is_a_warning(rule: Rule) -> None:
    (found,) = compared(workers(rule))
    assert (found.what, found.severity) == (
        f"open, and not of the playbooks: {rule}",
        Severity.WARNING,
    )


def test_management_is_open_on_managers_only() -> None:
    (found,) = compared(workers(Rule("tcp", 2377, 2377, "sg-wkr")))
    assert "2377/tcp" in found.what
    managers = as_provisioned(MANAGER)
    rules = tuple(rule for rule in managers.rules if rule.low != 2377)
    (found,) = compared(replace(managers, rules=rules))
    assert found.what == "closed: 2377/tcp from the nodes (Swarm management)"


def test_an_instance_outside_of_its_group_is_an_error() -> None:
    loose = instance("wkr2", WORKER, "sg-other")
    (found,) = compared(instances=(*INSTANCES, loose))
    assert (found.place, found.what) == ("wkr2", "is not in the security group shop_wkr_sg")
    assert found.remedy.endswith("--instance-id i-wkr2 --groups sg-other sg-wkr")


def test_a_group_that_another_hand_gave_a_node_may_not_expose_it() -> None:
    two = (INSTANCES[0], instance("wkr1", WORKER, "sg-wkr", "sg-x"))
    harmless = SecurityGroup("sg-x", "theirs", (Rule("tcp", 9100, 9100, "10.0.0.0/8"),), {})
    assert compared(harmless, instances=two) == []
    exposed = replace(harmless, rules=(Rule("tcp", 22, 22, "0.0.0.0/0"),))
    (found,) = compared(exposed, instances=two)
    assert found.what.startswith("opens 22/tcp from 0.0.0.0/0 on wkr1")


def balanced(*changed: SecurityGroup, without: str = "") -> list[Finding]:
    groups = [as_provisioned(role, BALANCED) for role in (LOAD_BALANCER, MANAGER, WORKER)]
    groups = [group for group in groups if group.id != without]
    return compared(*groups, *changed)


def test_a_load_balancers_group_as_provisioned_has_no_finding() -> None:
    assert balanced() == []


def test_a_load_balancer_without_its_group_is_an_error() -> None:
    assert balanced(without="sg-alb")[0].place in {"shop_alb_sg", "shop_mgr_sg"}
    assert "shop_alb_sg" in {finding.place for finding in balanced(without="sg-alb")}


def test_dynamic_ports_that_are_open_to_others_than_the_load_balancer_are_named() -> None:
    group = as_provisioned(WORKER, BALANCED)
    wide = Rule("tcp", 32768, 60999, "0.0.0.0/0")
    (found,) = balanced(replace(group, rules=(*group.rules, wide)))
    assert found.what.startswith("open, and not of the playbooks: 32768-60999/tcp from 0.0.0.0/0")


def test_dynamic_ports_that_the_load_balancer_cannot_reach_are_named() -> None:
    group = as_provisioned(WORKER, BALANCED)
    closed = tuple(rule for rule in group.rules if rule.low != 32768)
    (found,) = balanced(replace(group, rules=closed))
    assert found.what.startswith("closed: 32768-60999/tcp from the load balancer")


def test_groups_without_tags_are_compared_as_far_as_their_rules_are_known() -> None:
    old = replace(workers(without="Overlay networks (VXLAN)"), tags={})
    first, second = compared(old)
    assert (first.severity, "only Swarm's own rules" in first.what) == (Severity.WARNING, True)
    assert second.what.startswith("closed: 4789/udp")


def test_the_rules_of_ec2_are_read_with_every_kind_of_source() -> None:
    raw = {
        "GroupId": "sg-1",
        "GroupName": "g",
        "IpPermissions": [
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "198.51.100.7/32", "Description": "SSH"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                "UserIdGroupPairs": [{"GroupId": "sg-2"}],
                "PrefixListIds": [{"PrefixListId": "pl-1"}],
            },
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        ],
    }
    assert security_group(raw).rules == (
        Rule("tcp", 22, 22, "198.51.100.7/32"),
        Rule("tcp", 22, 22, "::/0"),
        Rule("tcp", 22, 22, "sg-2"),
        Rule("tcp", 22, 22, "pl-1"),
        Rule("all", -1, -1, "10.0.0.0/8"),
    )
