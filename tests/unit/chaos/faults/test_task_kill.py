"""Containers of a service are killed, all of a node with one command."""

from __future__ import annotations

import pytest

from swarmctl.chaos.faults.task_kill import TaskKill
from swarmctl.chaos.journal.journal import TargetRecord
from tests.unit.chaos.faults.contexts import Beside


def one(node: str, slot: int, container: str = "") -> TargetRecord:
    return TargetRecord(
        node, f"id-{node}", "worker", "", container_id=container, task=f"web.{slot}"
    )


@pytest.fixture
def at() -> Beside:
    return Beside()


def test_a_task_without_a_container_is_refused_by_its_name(at: Beside) -> None:
    fault = TaskKill(at.context())
    there = one("wkr1", 1, "c1")
    assert fault.refusal([there]) == ""
    refusal = fault.refusal([there, one("wkr1", 2), one("wkr2", 3)])
    assert refusal == "no container yet: web.2 on wkr1, web.3 on wkr2"


def test_the_containers_of_a_node_are_killed_together(at: Beside) -> None:
    fault = TaskKill(at.context())
    targets = [one("wkr1", 1, "c1"), one("wkr2", 2, "c 2"), one("wkr1", 3, "c3")]
    assert fault.describe(targets[0]) == (
        "kill the container of web.1 on wkr1; nothing to undo: Swarm starts another"
    )
    fault.inject(targets)
    assert at.lab.log == ["wkr1: docker kill c1 c3", "wkr2: docker kill 'c 2'"]
    assert at.texts("killed") == ["2 containers killed on wkr1", "1 containers killed on wkr2"]
    assert at.checks == 2
    assert fault.undo_steps(targets) == ()
    assert fault.undo_by_hand(targets[0]) == ""
    assert fault.took_effect()
    assert fault.seen_s() == at.now
