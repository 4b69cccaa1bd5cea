"""The checks of group_vars: each bad value is named, with what is allowed, before any call."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from swarmctl.cloud.logs import RETENTIONS
from swarmctl.cloud.rules import Openings, openings_of
from tests.unit.ansible.filters import ROOT, load_filters

addresses = load_filters("preflight", "addresses")
ports = load_filters("preflight", "published_ports")
groups = load_filters("ec2_security_groups", "security_groups")
rules = load_filters("preflight", "settings")
misspelt = load_filters("preflight", "misspelt").misspelt
plan_nodes = load_filters("ec2_instances", "plan_nodes").plan_nodes
SPEC = yaml.safe_load((ROOT / "roles/preflight/meta/argument_specs.yml").read_text())
OPTIONS = SPEC["argument_specs"]["main"]["options"]["preflight_settings"]["options"]
FAMILIES = yaml.safe_load((ROOT / "inventory/group_vars/all.yml").read_text())["ami_families"]


ZONES = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]


def settings(**changes: Any) -> dict[str, Any]:
    """Good settings, with changes; subnets follow from the others unless given."""
    good: dict[str, Any] = {
        "admin_cidr": "198.51.100.7/32",
        "ami_families": FAMILIES,
        "ami_family": "debian13",
        "ami_id": "",
        "availability_zones": ZONES,
        "aws_region": "eu-central-1",
        "cluster_name": "swarm_app",
        "discovery_enabled": False,
        "registry_refresh_enabled": False,
        "discovery_image": "",
        "discovery_registry": "",
        "docker_engine_daemon_options": {},
        "docker_engine_source": "distribution",
        "instance_type": "t3.small",
        "load_balancer_certificate_arn": "",
        "load_balancer_cidrs": ["198.51.100.7/32"],
        "load_balancer_enabled": False,
        "logs_keep": True,
        "logs_retention": 30,
        "manager_interfaces": True,
        "managers": 1,
        "node_overrides": {},
        "private_nodes": "",
        "private_subnet_ids": {},
        "provision": "ec2",
        "subnet_ids": {},
        "published_cidr": "198.51.100.7/32",
        "published_ports": [80, "32768-60999"],
        "registry": "ecr",
        "ssh_jump": "",
        "stacks": [{"name": "three_tier"}],
        "swarm_address_pool": "10.224.0.0/12",
        "swarm_dispatcher_heartbeat": 5,
        "swarm_managers_run_tasks": "auto",
        "swarm_node_labels": {"wkr1": {"db": "true"}},
        "vpc_cidr": "10.42.0.0/16",
        "vpc_id": "",
        "workers": 3,
    } | changes
    good.setdefault("subnets", addresses.plan_subnets(good["vpc_cidr"], good["availability_zones"]))
    return good


def type_errors(**changes: Any) -> list[str]:
    found: list[str] = rules.type_errors(settings(**changes), OPTIONS)
    return found


def errors(**changes: Any) -> list[str]:
    """What the role reports: bad types and choices, or else broken rules."""
    changed = settings(**changes)
    return type_errors(**changes) or [
        *rules.setting_errors(changed),
        *addresses.address_errors(changed),
        *ports.published_port_errors(changed["published_ports"]),
    ]


def test_the_defaults_pass() -> None:
    assert errors() == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("managers", 2),
        ("managers", "4"),
        ("managers", 0),
        ("managers", "three"),
        ("workers", -1),
        ("workers", "many"),
        ("admin_cidr", ""),
        ("admin_cidr", "0.0.0.0/0"),
        ("admin_cidr", "198.51.100.7"),
        ("admin_cidr", "198.51.100.7/24"),
        ("published_cidr", "everyone"),
        ("ami_family", "centos7"),
        ("ami_id", "debian"),
        ("availability_zones", ["us-east-1a"]),
        ("availability_zones", []),
        ("vpc_cidr", "10.42.0.0/8"),
        ("vpc_cidr", "10.230.0.0/16"),
        ("vpc_cidr", "172.17.0.0/16"),
        ("vpc_cidr", "10.42.0.0/24"),
        ("vpc_id", "my-vpc"),
        ("subnets", [{"az": zone, "cidr": "10.42.0.0/24"} for zone in ZONES]),
        ("subnets", [{"az": zone, "cidr": f"10.43.{i}.0/24"} for i, zone in enumerate(ZONES)]),
        ("instance_type", "small"),
        ("cluster_name", "Swarm App"),
        ("docker_engine_source", "snap"),
        ("docker_engine_daemon_options", {"live-restore": True}),
        ("docker_engine_daemon_options", {"hosts": ["tcp://0.0.0.0:2375"]}),
        ("published_ports", ["http"]),
        ("published_ports", [0]),
        ("published_ports", ["2000-3000"]),
        ("published_ports", [22]),
        ("swarm_address_pool", "10.42.0.0/16"),
        ("swarm_dispatcher_heartbeat", 0),
        ("swarm_node_labels", {"worker1": {"db": "true"}}),
        ("stacks", [{"name": "three_tier"}, {"name": "three_tier"}]),
        ("stacks", [{"name": "../etc"}]),
        ("stacks", [{"name": "three_tier", "secret": ["password"]}]),
        ("stacks", ["three_tier"]),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(variable: str, value: Any) -> None:
    problems = errors(**{variable: value})
    assert problems
    assert any(variable in problem for problem in problems)
    assert all(
        "allowed" in problem
        for problem in problems
        if problem not in type_errors(**{variable: value})
    )


def test_more_nodes_than_addresses_are_refused() -> None:
    zones = ZONES[:1]
    small = [{"az": zones[0], "cidr": "10.42.0.0/28"}]
    assert errors(availability_zones=zones, subnets=small, workers=10) == []
    (problem,) = errors(availability_zones=zones, subnets=small, workers=11)
    assert "managers + workers is 12" in problem


def test_all_bad_types_are_reported_at_once_and_so_are_all_broken_rules() -> None:
    assert len(type_errors(managers=2, docker_engine_source="snap", workers="many")) == 3
    assert len(errors(admin_cidr="", ami_family="x", published_ports=[22])) == 3


@pytest.mark.parametrize("name", ["", "..", "*", "a/b", "Swarm", "a-b", "1a", "a" * 32, None])
def test_a_name_that_could_reach_another_cluster_is_refused(name: Any) -> None:
    (error,) = rules.cluster_name_errors(name)
    assert error.startswith("cluster_name is")
    assert rules.cluster_name_errors("swarm_app2") == []


def test_an_agent_without_an_image_and_without_a_registry_is_refused() -> None:
    (problem,) = errors(discovery_enabled=True)
    assert problem.startswith("discovery_image is empty; allowed with discovery_enabled:")
    (problem,) = errors(registry_refresh_enabled=True)
    assert "allowed with registry_refresh_enabled:" in problem
    assert errors(discovery_enabled="true", discovery_image="registry.example/discovery:1") == []
    assert errors(discovery_enabled=True, discovery_registry="10.0.0.1:5000") == []
    assert errors(discovery_enabled="false") == []


@pytest.mark.parametrize("days", [0, 2, 29, 366, 10000])
def test_a_retention_that_cloudwatch_does_not_have_is_refused(days: int) -> None:
    """Broken: the module of Ansible deletes the group with all its events."""
    (problem,) = errors(logs_retention=days)
    assert problem.startswith(f"logs_retention is {days}; allowed, in days: 1, 3, 5, 7,")


def test_preflight_and_swarmctl_know_the_same_retentions() -> None:
    assert rules.RETENTIONS == RETENTIONS
    assert all(errors(logs_retention=days) == [] for days in RETENTIONS)


def test_numbers_from_the_command_line_are_strings() -> None:
    assert errors(managers="3", workers="5", swarm_dispatcher_heartbeat="1") == []


def test_nodes_are_named_and_dealt_over_the_zones() -> None:
    nodes = plan_nodes("swarm_app", 1, 3, ZONES)
    assert [(n["name"], n["role"], n["az"][-1]) for n in nodes] == [
        ("swarm_app_mgr1", "manager", "a"),
        ("swarm_app_wkr1", "worker", "b"),
        ("swarm_app_wkr2", "worker", "c"),
        ("swarm_app_wkr3", "worker", "a"),
    ]


def test_a_worker_more_moves_no_other_node() -> None:
    before = plan_nodes("c", 1, 3, ZONES)
    assert plan_nodes("c", 1, 4, ZONES)[: len(before)] == before
    assert [n for n in before if n not in plan_nodes("c", 3, 4, ZONES)] == []


def test_the_groups_open_what_the_settings_say_and_swarms_ports_between_nodes_only() -> None:
    managers, workers = groups.security_groups("c", "198.51.100.7/32", ["53/udp"], "0.0.0.0/0")
    nodes = ["c_mgr_sg", "c_wkr_sg"]
    assert [managers["name"], workers["name"]] == nodes
    opened = {
        (r["proto"], r["from_port"], r["to_port"], r.get("cidr_ip") or tuple(r["group_name"]))
        for r in workers["rules"]
    }
    assert opened == {
        ("tcp", 22, 22, "198.51.100.7/32"),
        ("udp", 53, 53, "0.0.0.0/0"),
        ("tcp", 7946, 7946, tuple(nodes)),
        ("udp", 7946, 7946, tuple(nodes)),
        ("udp", 4789, 4789, tuple(nodes)),
        ("50", -1, -1, tuple(nodes)),
    }
    control = [rule for rule in managers["rules"] if rule not in workers["rules"]]
    assert {(r["proto"], r["from_port"]) for r in control} == {
        ("tcp", 2377),
        ("tcp", 8500),
        ("tcp", 8600),
        ("udp", 8600),
    }
    assert all(rule["group_name"] == nodes for rule in control)


def test_with_a_load_balancer_the_nodes_published_tcp_ports_are_open_to_it_alone() -> None:
    found = groups.security_groups(
        "c", "198.51.100.7/32", [8080, "53/udp"], "192.0.2.0/24", ["203.0.113.0/24", "10.0.0.0/8"]
    )
    assert [group["name"] for group in found] == ["c_alb_sg", "c_mgr_sg", "c_wkr_sg"]
    balancer, *nodes = found
    assert {(r["from_port"], r["cidr_ip"]) for r in balancer["rules"]} == {
        (port, cidr) for port in (80, 443) for cidr in ("203.0.113.0/24", "10.0.0.0/8")
    }
    for group in nodes:
        published = [r for r in group["rules"] if r["rule_desc"] == "Published service ports"]
        assert {
            (r["proto"], r["from_port"], r["to_port"], r.get("group_name", r.get("cidr_ip")))
            for r in published
        } == {
            ("tcp", 8080, 8080, "c_alb_sg"),
            ("udp", 53, 53, "192.0.2.0/24"),
            ("tcp", 32768, 60999, "c_alb_sg"),
        }


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("availability_zones", ["eu-central-1a"]),
        ("cluster_name", "shop_"),
        ("load_balancer_cidrs", []),
        ("load_balancer_cidrs", ["everyone"]),
        ("load_balancer_certificate_arn", "my-certificate"),
    ],
)
def test_a_value_that_no_load_balancer_can_have_is_refused(variable: str, value: Any) -> None:
    problems = errors(load_balancer_enabled=True, **{variable: value})
    assert any(variable in problem and "allowed" in problem for problem in problems)


def test_the_groups_tags_say_what_was_opened() -> None:
    (managers, _) = groups.security_groups("c", "198.51.100.7/32", [80, "53/udp"], "10.0.0.0/8")
    assert openings_of(managers["tags"]) == Openings(
        "198.51.100.7/32", ("80", "53/udp"), "10.0.0.0/8"
    )
    assert openings_of({"swarmctl:cluster": "c"}) is None
    (balancer, *_) = groups.security_groups("c", "10.0.0.0/8", [], "10.0.0.0/8", ["0.0.0.0/0"])
    known = openings_of(balancer["tags"])
    assert known == Openings("10.0.0.0/8", (), "10.0.0.0/8", ("0.0.0.0/0",))


machines = load_filters("preflight", "machines")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"node_overrides": {"wkr": {}}}, "node_overrides names 'wkr'"),
        ({"node_overrides": {"wkr1": "t3.large"}}, "a mapping of ami_id"),
        ({"node_overrides": {"wkr1": {"type": "t3.large"}}}, "wkr1 has 'type'"),
        ({"node_overrides": {"wkr1": {"instance_type": "large"}}}, "instance_type of wkr1"),
        ({"node_overrides": {"wkr1": {"ami_id": "debian"}}}, "ami_id of wkr1"),
        ({"node_overrides": {"wkr1": {"volumes": [{"size": 9}]}}}, "a volume of wkr1"),
        ({"subnet_ids": {"eu-central-1a": "subnet-01234567"}, "vpc_id": "vpc-01234567"}, "zones"),
        ({"private_subnet_ids": dict.fromkeys(ZONES, "subnet-01234567")}, "vpc_id is empty"),
        ({"private_nodes": "all", "ssh_jump": "managers"}, "nothing leads to the managers"),
    ],
)
def test_a_wrong_machine_or_subnet_is_named(changes: dict[str, Any], problem: str) -> None:
    (error,) = machines.machine_errors(settings(**changes))
    assert problem in error
    assert "allowed" in error


def test_good_overrides_pass_and_the_nearest_wins() -> None:
    overrides = {
        "workers": {"instance_type": "r7i.large", "iam_profile": "x"},
        "wkr1": {"instance_type": "t4g.large", "ami_id": "ami-01234567"},
        "swarm_app_wkr1": {"volumes": [{"device": "/dev/sdf", "size": 100}]},
    }
    assert machines.machine_errors(settings(node_overrides=overrides)) == []
    planning = load_filters("ec2_instances", "plan_nodes")
    found = planning.override_of(overrides, "swarm_app_wkr1", "worker")
    assert (found["instance_type"], found["iam_profile"]) == ("t4g.large", "x")
    (disk,) = planning.block_devices(found["volumes"])
    assert disk["ebs"]["encrypted"] is True
    assert planning.override_of(overrides, "swarm_app_mgr1", "manager") == {}


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [("t3.small", "x86_64"), ("t4g.small", "arm64"), ("g4dn.xlarge", "x86_64"),
     ("c7gn.large", "arm64"), ("m7i.large", "x86_64"), ("a1.large", "arm64")],
)  # fmt: skip
def test_the_ami_is_looked_up_for_the_types_architecture(kind: str, architecture: str) -> None:
    assert load_filters("ec2_instances", "plan_nodes").architecture(kind) == architecture


def test_ssh_to_private_workers_comes_from_the_managers_alone() -> None:
    managers, workers = groups.security_groups(
        "c", "198.51.100.7/32", [], "10.0.0.0/8", ssh_jump="managers"
    )
    ssh = [[r for r in g["rules"] if r["from_port"] == 22] for g in (managers, workers)]
    assert [r["cidr_ip"] for r in ssh[0]] == ["198.51.100.7/32"]
    assert [r["group_name"] for r in ssh[1]] == ["c_mgr_sg"]
    assert "cidr_ip" not in ssh[1][0]
    known = openings_of(workers["tags"])
    assert known is not None
    assert known.through_managers


def test_a_name_that_is_almost_a_settings_is_an_error() -> None:
    """Ansible ignores a variable that nothing reads: -e worker=5 would change nothing."""
    (error,) = misspelt(["workers", "worker", "node", "backup", "ec2_instances_type"], OPTIONS)
    assert error == "worker is no setting, and nothing reads it: did you mean workers?"


def test_no_variable_of_a_playbook_is_taken_for_a_misspelt_setting() -> None:
    files = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("docs/**/*.md")]
    given = {n for file in files for n in re.findall(r"-e (\w+)=", file.read_text())}
    assert len(given) > 20
    assert misspelt(given, OPTIONS) == []
