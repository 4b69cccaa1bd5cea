"""How managers are placed, and whether they take replicas."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ansible.filters import load_filters
from tests.unit.engine_json import node

checks = load_filters("preflight", "managers")
updates = load_filters("swarm", "manager_replicas").manager_replica_updates
plan_nodes = load_filters("ec2_instances", "plan_nodes").plan_nodes


def settings(
    managers: int, zones: str, workers: int = 3, run_tasks: Any = "auto"
) -> dict[str, Any]:
    return {
        "managers": managers,
        "workers": workers,
        "subnets": [{"az": zone, "cidr": ""} for zone in zones],
        "swarm_managers_run_tasks": run_tasks,
    }


@pytest.mark.parametrize("managers", [1, 3, 5, 7])
def test_three_zones_never_hold_a_majority_in_one(managers: int) -> None:
    assert checks.manager_errors(settings(managers, "abc")) == []
    assert checks.manager_warnings(settings(managers, "abc")) == []
    planned = [n["az"] for n in plan_nodes("x", managers, 0, "abc")]
    assert planned == checks._placed(settings(managers, "abc"))


def test_a_majority_in_one_of_three_zones_is_refused() -> None:
    (error,) = checks.manager_errors(settings(3, "aabc"))
    assert "2 of 3 managers in a" in error


@pytest.mark.parametrize("zones", ["a", "ab", "aab"])
def test_with_fewer_than_three_zones_a_majority_in_one_is_a_warning(zones: str) -> None:
    assert checks.manager_errors(settings(3, zones)) == []
    (warning,) = checks.manager_warnings(settings(3, zones))
    assert "no majority" in warning


def test_one_manager_needs_no_warning_about_zones() -> None:
    assert checks.manager_warnings(settings(1, "a")) == []


@pytest.mark.parametrize("given", ["sometimes", ["x"]])
def test_another_word_for_running_tasks_is_refused(given: Any) -> None:
    (error,) = checks.manager_errors(settings(3, "abc", run_tasks=given))
    assert "allowed: auto, true or false" in error


def test_a_swarm_in_which_no_node_takes_replicas_is_refused() -> None:
    (error,) = checks.manager_errors(settings(3, "abc", workers=0, run_tasks="false"))
    assert "no node would take a replica" in error


def swarm(managers: int, workers: int, label: str = "") -> list[dict[str, Any]]:
    labels = {"swarmctl.replicas": label} if label else {}
    return [
        *(node(f"mgr{n}", role="manager", labels=labels) for n in range(managers)),
        *(node(f"wkr{n}") for n in range(workers)),
    ]


def test_three_managers_beside_workers_are_spared() -> None:
    assert [each[-1] for each in updates(swarm(3, 2), "auto")] == ["id-mgr0", "id-mgr1", "id-mgr2"]
    assert updates(swarm(3, 2, label="none"), "auto") == []


@pytest.mark.parametrize(("managers", "workers"), [(1, 3), (3, 0), (2, 1)])
def test_managers_that_are_needed_take_replicas(managers: int, workers: int) -> None:
    assert updates(swarm(managers, workers), "auto") == []
    again = updates(swarm(managers, workers, label="none"), "auto")
    assert [each[:2] for each in again] == [["--label-rm", "swarmctl.replicas"]] * managers


def test_the_setting_wins_over_the_count() -> None:
    assert updates(swarm(3, 2), True) == []
    assert len(updates(swarm(1, 2), "no")) == 1
