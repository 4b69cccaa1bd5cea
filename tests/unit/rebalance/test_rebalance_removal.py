"""Which replica Swarm would take: the new one only if it is not alone on its node."""

from __future__ import annotations

import pytest

from swarmctl.rebalance.removal import can_lose_one
from tests.unit.engine_json import node, service, swarm, task

LIVE = {"id-a", "id-b"}


@pytest.mark.parametrize(
    ("placed", "enough"),
    [
        # four wanted, a fifth is there: (node, state) of each
        ([("a", "running")] * 4 + [("b", "running")], True),
        ([("a", "running")] * 4 + [("b", "starting")], False),
        ([("a", "running")] * 4 + [("", "pending")], True),
        ([("a", "running")] * 4 + [("a", "starting")], True),
        ([("a", "running")] * 2 + [("b", "running")] * 2 + [("b", "starting")], True),
        ([("a", "running")] * 3 + [("b", "running"), ("b", "starting")], False),
        ([("a", "running")] * 3 + [("dead", "running"), ("b", "running")], False),
    ],
)
def test_one_less_leaves_enough(placed: list[tuple[str, str]], enough: bool) -> None:
    tasks = [task("web", on, slot, state) for slot, (on, state) in enumerate(placed, 1)]
    found = swarm([node("a"), node("b"), node("dead", state="down")], [service("web")], tasks)
    counted = [t for t in found.tasks if t.meant_to_run]
    assert can_lose_one(counted, LIVE, 4) is enough


def test_a_task_that_is_told_to_end_does_not_count() -> None:
    tasks = [task("web", "a", 1), task("web", "a", 1, desired="shutdown"), task("web", "b", 2)]
    found = swarm([node("a"), node("b")], [service("web")], tasks)
    counted = [t for t in found.tasks if t.meant_to_run]
    assert len(counted) == 2
    assert can_lose_one(counted, LIVE, 1)
