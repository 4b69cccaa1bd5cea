"""A rehearsal places replicas by the same rules, and writes nothing that a service knows."""

from __future__ import annotations

import json

import yaml

from swarmctl.moves.earlier import EARLIER_LABEL
from swarmctl.swarm.parse import parse_swarm
from swarmctl.upgrade.rehearsal import IN_THE_LAB, compose, settings
from tests.unit.ansible.filters import ROOT
from tests.unit.scheduler.swarms import node, service, swarm


def test_nodes_have_their_roles_and_labels_and_not_those_of_a_move() -> None:
    nodes = [
        node("app_mgr1", role="manager", leader=True, availability="drain"),
        node("app_wkr10", labels={"az": "b"}),
        node("app_wkr2", labels={"az": "a", EARLIER_LABEL: "active", "swarmctl.settings": "f0"}),
        node("app_wkr3", state="down"),
    ]
    assert settings(parse_swarm(swarm(nodes, [])), "app") == dict(IN_THE_LAB) | {
        "cluster_name": "app",
        "managers": 1,
        "workers": 2,
        "stacks": [],
        "swarm_managers_run_tasks": False,
        "swarm_node_labels": {
            "app_mgr1": {},
            "app_wkr1": {"az": "a"},
            "app_wkr2": {"az": "b"},
        },
    }


def test_a_label_of_a_node_is_no_template_on_the_computer_of_the_operator() -> None:
    labels = {"az": "a", "x": "{{ lookup('pipe', 'id') }}", "{% y %}": "", "z": "{a}"}
    found = settings(parse_swarm(swarm([node("app_wkr1", labels=labels)], [])), "app")
    assert found["swarm_node_labels"] == {"app_wkr1": {"az": "a", "z": "{a}"}}


def test_every_setting_that_a_rehearsal_replaces_exists() -> None:
    known = yaml.safe_load((ROOT / "inventory/group_vars/all.yml").read_text())
    assert set(IN_THE_LAB) <= set(known)


def test_services_are_placed_by_the_same_rules_and_run_something_else() -> None:
    web = service(
        "web", 3, constraints=["node.role==worker"], spread=["node.labels.az"], ports=[8080],
        max_replicas=2, cpus=0.5, memory=1,
    )  # fmt: skip
    web["Spec"]["TaskTemplate"]["ContainerSpec"] |= {"Image": "own", "Env": ["KEY=secret"]}
    everywhere = service("agent", mode="Global")
    once = service("job", mode="ReplicatedJob")
    found = compose(parse_swarm(swarm([node("w")], [(web, {}), (everywhere, {}), (once, {})])))

    assert "secret" not in json.dumps(found)
    assert found["services"]["web"] == {
        "image": "httpd:2.4",
        "deploy": {
            "mode": "replicated",
            "replicas": 3,
            "placement": {
                "constraints": ["node.role==worker"],
                "preferences": [{"spread": "node.labels.az"}],
                "max_replicas_per_node": 2,
            },
            "restart_policy": {"condition": "any", "delay": "1s"},
            "resources": {"reservations": {"cpus": "0.500", "memory": str(1 << 30)}},
        },
        "ports": [{"target": 80, "mode": "host", "protocol": "tcp", "published": 8080}],
    }
    assert found["services"]["agent"]["deploy"]["mode"] == "global"
    assert "replicas" not in found["services"]["agent"]["deploy"]
    assert "job" not in found["services"]
