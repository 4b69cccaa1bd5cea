"""A rehearsal places replicas by the same rules, and writes nothing that a service knows."""

from __future__ import annotations

import json

from swarmctl.moves.earlier import EARLIER_LABEL
from swarmctl.swarm.parse import parse_swarm
from swarmctl.upgrade.rehearsal import compose, settings
from tests.unit.scheduler.swarms import node, service, swarm


def test_nodes_have_their_roles_and_labels_and_not_those_of_a_move() -> None:
    nodes = [
        node("app_mgr1", role="manager", leader=True, availability="drain"),
        node("app_wkr10", labels={"az": "b"}),
        node("app_wkr2", labels={"az": "a", EARLIER_LABEL: "active"}),
        node("app_wkr3", state="down"),
    ]
    assert settings(parse_swarm(swarm(nodes, [])), "app") == {
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
