"""When a deploy counts as done, and when as failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.deploy.converge import Convergence, NotConvergedError, convergence_of, wait
from swarmctl.swarm.model import Swarm
from swarmctl.wait import Clock
from tests.unit.engine_json import node, service, swarm, task, template

NODES = [node("mgr1", "manager"), node("wkr1"), node("wkr2")]
NEW, OLD = template("app:2"), template("app:1")


def seen(*tasks: dict[str, Any], nodes: Sequence[dict[str, Any]] = (), **more: Any) -> Swarm:
    settings: dict[str, Any] = {"replicas": 2, "spec": NEW, **more}
    return swarm(list(nodes or NODES), [service("three_tier_web", **settings)], list(tasks))


def of(slot: int, spec: dict[str, Any] = NEW, **more: Any) -> dict[str, Any]:
    return task("three_tier_web", more.pop("on", "wkr1"), slot, spec=spec, **more)


def judged(now: Swarm, since: datetime | None = None) -> Convergence:
    return convergence_of(now, now.services[0], since)


def update(state: str, started: str = "2026-01-31T12:00:00Z") -> dict[str, Any]:
    return {"UpdateStatus": {"State": state, "StartedAt": started, "Message": "task x"}}


def test_all_tasks_of_the_new_spec_on_live_nodes_is_converged() -> None:
    assert judged(seen(of(1), of(2, on="wkr2"))).converged
    assert judged(seen(of(1), of(2), **update("completed"))).converged


def test_a_service_without_tasks_is_progressing() -> None:
    assert str(judged(seen())) == "three_tier_web 0/2: starting"


def test_a_node_that_is_down_does_not_converge_though_its_tasks_say_running() -> None:
    nodes = [NODES[0], NODES[1], node("wkr2", state="down")]
    now = judged(seen(of(1), of(2, on="wkr2"), nodes=nodes))
    assert (now.state, now.ready) == ("progressing", 1)
    assert now.reason == "1 on wkr2, which is down"


def test_tasks_of_the_old_version_are_not_counted() -> None:
    now = judged(seen(of(1), of(2, OLD)))
    assert (now.state, now.ready) == ("progressing", 1)


def test_the_old_version_still_serving_beside_the_new_is_not_done() -> None:
    assert "1 of the old version" in judged(seen(of(1), of(2), of(2, OLD))).reason


def test_more_tasks_than_wanted_is_not_done() -> None:
    assert "1 too many" in judged(seen(of(1), of(2), of(3))).reason


def test_an_update_under_way_is_not_done() -> None:
    assert judged(seen(of(1), of(2), **update("updating"))).state == "progressing"


@pytest.mark.parametrize(
    "state", ["paused", "rollback_started", "rollback_paused", "rollback_completed"]
)
def test_a_failed_update_is_a_failure_even_if_everything_runs(state: str) -> None:
    now = judged(seen(of(1), of(2), **update(state)))
    assert now.state == "failed"
    assert "task x" in now.reason


def test_a_rollback_from_before_this_deploy_is_ignored() -> None:
    old = seen(of(1), of(2), **update("rollback_completed", "2026-01-30T00:00:00.123456789Z"))
    assert judged(old, datetime(2026, 1, 31, tzinfo=UTC)).converged
    assert judged(old, datetime(2026, 1, 29, tzinfo=UTC)).state == "failed"


def test_a_job_converges_when_it_has_completed() -> None:
    mode = {"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 2}}
    assert judged(seen(of(1, state="complete"), of(2, state="complete"), mode=mode)).converged
    assert judged(seen(of(1, state="complete"), of(2), mode=mode)).state == "progressing"


def test_a_service_with_no_replicas_is_done() -> None:
    assert judged(seen(replicas=0)).converged


def test_errors_of_tasks_are_counted_and_located() -> None:
    bad: dict[str, Any] = {
        "state": "rejected",
        "desired": "shutdown",
        "error": "No such image:\n app:2",
    }
    pending = of(2, on="", state="pending", message="no suitable node")
    now = judged(seen(of(1, **bad), of(1, on="wkr2", **bad), pending))
    assert now.errors == (
        "No such image: app:2 (2 times, on wkr1, wkr2)",
        "no suitable node (once)",
    )
    assert now.failures == 2


class FakeSwarm:
    """Returns one snapshot after the other, one a second; the last one repeatedly."""

    def __init__(self, *snapshots: Swarm | SwarmctlError) -> None:
        self.snapshots = list(snapshots)
        self.now = 0.0

    def snapshot(self) -> Swarm:
        snapshot = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        if isinstance(snapshot, SwarmctlError):
            raise snapshot
        return snapshot

    def pause(self, seconds: float) -> None:
        self.now += seconds


def waited(fake: FakeSwarm, timeout: float = 30, settle: float = 2) -> list[Convergence]:
    return wait(
        fake.snapshot,
        "three_tier",
        timeout=timeout,
        settle=settle,
        interval=1,
        clock=Clock(lambda: fake.now, fake.pause),
    )


DONE = seen(of(1, id="a"), of(2, id="b"))


def test_waiting_ends_when_the_state_has_held_for_a_while() -> None:
    fake = FakeSwarm(seen(), seen(of(1)), DONE)
    assert [j.ready for j in waited(fake)] == [2]
    assert fake.now == 4  # two snapshots, then two seconds of settling


def test_a_restarted_task_restarts_the_settling() -> None:
    fake = FakeSwarm(DONE, DONE, seen(of(1, id="a"), of(2, id="c")))
    waited(fake)
    assert fake.now == 4


def test_a_task_that_crashed_before_is_watched_for_longer() -> None:
    crashed = of(2, state="failed", desired="shutdown", error="exit 1")
    fake = FakeSwarm(seen(of(1, id="a"), of(2, id="b"), crashed))
    waited(fake)
    assert fake.now == 5


def test_a_crash_loop_never_counts_as_converged() -> None:
    def loop() -> Iterator[Swarm]:
        for round_ in range(20):
            crashed = [of(2, state="failed", desired="shutdown", error="exit 1")]
            yield seen(of(1, id="a"), of(2, id=f"x{round_}"), *crashed)
            yield seen(of(1, id="a"), *crashed)

    with pytest.raises(NotConvergedError) as caught:
        waited(FakeSwarm(*loop()), timeout=20)
    assert "20 s" in caught.value.message


def test_a_rollback_ends_the_wait_at_once_with_the_reason() -> None:
    fake = FakeSwarm(seen(of(1, OLD), of(2, OLD), **update("rollback_started")))
    with pytest.raises(NotConvergedError, match="update rollback started: task x"):
        waited(fake)
    assert fake.now == 0


def test_the_deadline_names_service_numbers_and_errors() -> None:
    fake = FakeSwarm(
        seen(of(1), of(2, state="rejected", desired="shutdown", error="No such image"))
    )
    with pytest.raises(NotConvergedError) as caught:
        waited(fake, timeout=3)
    assert "waited 3 s for the stack three_tier" in caught.value.message
    assert "three_tier_web 1/2: starting" in caught.value.message
    assert "No such image (once, on wkr1)" in caught.value.message
    assert "docker service ps --no-trunc three_tier_web" in caught.value.hint
    assert fake.now == 3


def test_a_manager_that_does_not_answer_for_a_moment_does_not_end_the_wait() -> None:
    assert waited(FakeSwarm(SwarmctlError("no answer"), SwarmctlError("no leader"), DONE))


def test_a_swarm_that_never_answers_is_reported_at_the_deadline() -> None:
    with pytest.raises(SwarmctlError, match="no answer"):
        waited(FakeSwarm(SwarmctlError("no answer")), timeout=2)


def test_the_error_for_an_unknown_stack_lists_the_deployed_ones() -> None:
    fake = FakeSwarm(DONE)
    with pytest.raises(UsageError) as caught:
        wait(fake.snapshot, "three_teir", timeout=1)
    assert "did you mean 'three_tier'" in caught.value.hint
