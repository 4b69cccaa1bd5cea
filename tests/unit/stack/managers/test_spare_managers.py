"""Managers that a label spares get no replicas from a deploy; everything else stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.stack.render.spare_managers import WORKERS_ONLY, spare_managers
from tests.unit.engine_json import node

SPARED = {"swarmctl.replicas": "none"}


def swarm(labels: dict[str, str], **worker: str) -> list[dict[str, Any]]:
    return [node("mgr1", role="manager", labels=labels), node("wkr1", labels=worker, state="down")]


def constraints(nodes: list[dict[str, Any]], *own: str, **mode: Any) -> list[str]:
    spec = {
        "Name": "web",
        "Mode": mode or {"Replicated": {"Replicas": 2}},
        "TaskTemplate": {"Placement": {"Constraints": list(own)}},
    }
    found: list[str] = spare_managers({"web": spec}, nodes)["web"]["TaskTemplate"]["Placement"][
        "Constraints"
    ]
    return found


def test_replicas_stay_on_workers_even_while_no_worker_is_up() -> None:
    assert constraints(swarm(SPARED)) == [WORKERS_ONLY]
    assert constraints(swarm(SPARED, db="1"), "node.labels.db==1") == [
        "node.labels.db==1",
        WORKERS_ONLY,
    ]


def test_without_the_label_nothing_changes() -> None:
    assert constraints(swarm({})) == []


def test_a_service_without_placement_gets_one() -> None:
    made = spare_managers({"web": {"Name": "web"}}, swarm(SPARED))
    assert made["web"]["TaskTemplate"]["Placement"] == {"Constraints": [WORKERS_ONLY]}


@pytest.mark.parametrize(
    "own",
    ["node.role == manager", "node.role!=worker", "Node.Hostname == mgr1", "node.ip==10.0.0.1"],
)
def test_a_service_that_chooses_its_nodes_keeps_them(own: str) -> None:
    assert constraints(swarm(SPARED), own) == [own]


def test_a_service_tied_to_a_managers_label_is_not_made_homeless() -> None:
    nodes = swarm({**SPARED, "db": "1"})
    assert constraints(nodes, "node.labels.db == 1") == ["node.labels.db == 1"]


def test_global_services_run_on_managers_too() -> None:
    assert constraints(swarm(SPARED), Global={}) == []
