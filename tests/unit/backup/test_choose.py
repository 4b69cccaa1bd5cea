"""The Engine of a manager is stopped only where nobody misses it."""

import pytest

from swarmctl.backup.choose import choose_manager
from swarmctl.errors import RefusedError
from tests.unit.engine_json import node, service, swarm, task


def managers(count: int, **states: str) -> list[dict[str, object]]:
    """m1 leads; keywords give the state of others."""
    return [
        node(f"m{i}", "manager", states.get(f"m{i}", "ready"), leader=i == 1)
        for i in range(1, count + 1)
    ]


def test_a_follower_without_tasks_is_preferred() -> None:
    found = swarm(managers(3), [service("web")], [task("web", "m2"), task("web", "m1")])
    choice = choose_manager(found)
    assert (choice.node.hostname, choice.drain) == ("m3", False)


def test_the_leader_is_never_stopped() -> None:
    with pytest.raises(RefusedError, match="m1 is no follower"):
        choose_manager(swarm(managers(3), [], []), "m1")


def test_a_manager_that_runs_tasks_is_drained_first() -> None:
    tasks = [task("web", "m2"), task("web", "m2"), task("web", "m3")]
    choice = choose_manager(swarm(managers(3), [service("web")], tasks))
    assert (choice.node.hostname, choice.drain, choice.tasks) == ("m3", True, 1)


def test_quorum_never_hangs_on_the_stopped_manager() -> None:
    with pytest.raises(RefusedError, match="1 of 3 managers would be left and 2 are needed"):
        choose_manager(swarm(managers(3, m3="down"), [], []))
    assert choose_manager(swarm(managers(5, m3="down"), [], [])).node.hostname == "m2"


def test_the_only_manager_is_stopped_only_if_the_user_accepts_it() -> None:
    found = swarm(managers(1), [], [])
    with pytest.raises(RefusedError, match="nothing is scheduled or healed") as refused:
        choose_manager(found)
    assert "backup_stop_the_only_manager=true" in refused.value.hint
    assert choose_manager(found, only=True).node.hostname == "m1"


def test_the_tasks_of_the_only_manager_are_stopped_and_those_of_a_follower_never() -> None:
    tasks = [task("web", f"m{i}") for i in (1, 2, 3)]
    alone = choose_manager(swarm(managers(1), [service("web")], tasks[:1]), only=True)
    assert (alone.tasks, alone.drain) == (1, False)
    assert choose_manager(swarm(managers(3), [service("web")], tasks), only=True).drain


def test_without_a_leader_nothing_is_stopped() -> None:
    nodes = [node(f"m{i}", "manager") for i in (1, 2, 3)]
    with pytest.raises(RefusedError, match="no leader"):
        choose_manager(swarm(nodes, [], []))
