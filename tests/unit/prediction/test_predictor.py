"""Which tasks are replaced, by which restart policy, and in which order deaths are noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from swarmctl.prediction import Bounds
from swarmctl.swarm.parse import parse_swarm
from tests.unit.prediction.losses import counts, lose, only
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm, task, tasks


@pytest.mark.parametrize(
    ("restart", "replaced"),
    [
        ({"Condition": "any"}, True),
        ({"Condition": "on-failure"}, True),
        ({"Condition": "none"}, False),
        ({"Condition": "any", "MaxAttempts": 3}, True),
        ({"Condition": "any", "MaxAttempts": 2}, False),
        ({"Condition": "any", "MaxAttempts": 2, "Window": 60_000_000_000}, True),
    ],
)
def test_restart_policy(restart: Raw, replaced: bool) -> None:
    """The slot was restarted twice, two minutes and ten seconds before the task came to run."""
    web = service("web", restart=restart)
    stamps = ["2026-01-01T11:50:00Z", "2026-01-01T11:58:00Z", "2026-01-01T11:59:50Z"]
    history = [
        task(web, 1, "a", state="failed", desired="shutdown", created=at, at=at)
        for at in stamps[:2]
    ]
    last = task(web, 1, "b", created=stamps[2], at="2026-01-01T12:00:00Z")
    prediction = lose(swarm(nodes("a b"), [(web, {})], extra=[*history, last]), "b")
    assert only(prediction) == ({"a": 1} if replaced else {})
    assert prediction.outcomes[0].pending == {}
    assert bool(prediction.loss.gone) is not replaced


def test_global_services_are_not_moved() -> None:
    agent = service("agent", mode="Global")
    raw = swarm(nodes("a b c"), [(agent, {"a": 1, "b": 1, "c": 1})])
    prediction = lose(raw, "c")
    assert only(prediction, "agent") == {"a": 1, "b": 1}
    assert prediction.outcomes[0].pending == {}
    assert prediction.loss.ended == {"agent": 1}


def test_tasks_that_wait_already_are_tried_again_with_the_new_ones() -> None:
    web = service("web", 3, max_replicas=1)
    raw = swarm(nodes("a b"), [(web, {"a": 1, "b": 1})], extra=[task(web, 3, "", state="pending")])
    prediction = lose(raw, "b")
    assert only(prediction) == {"a": 1}
    assert prediction.outcomes[0].pending == {"web": 2}


def test_tasks_of_an_old_revision_may_have_left_the_queue() -> None:
    """Pending when their service was scaled, they are not tried again even if there is room."""
    web = service("web", 3) | {"UpdatedAt": "2026-01-01T12:30:00Z"}
    raw = swarm(nodes("a b"), [(web, {"b": 1})], extra=[task(web, 2, "", state="pending")])
    prediction = lose(raw, "b")
    assert [(dict(o.counts["web"]), o.pending) for o in prediction.outcomes] == [
        ({"a": 1}, {"web": 1}),
        ({"a": 2}, {}),
    ]


def test_every_service_is_in_the_counts() -> None:
    web, api, idle = service("web", 1), service("api", 1), service("idle", 0)
    raw = swarm(nodes("a b"), [(web, {"b": 1}), (api, {"a": 1}), (idle, {})])
    assert lose(raw, "b").outcomes[0].counts == {"api": {"a": 1}, "idle": {}, "web": {"a": 1}}


def managers(count: int, lost: int = 0) -> list[Raw]:
    states = ["unreachable" if n < lost else "reachable" for n in range(count)]
    return [
        node(f"m{n}", role="manager", reachability=state, leader=n == count - 1)
        for n, state in enumerate(states)
    ]


def test_without_a_quorum_nothing_is_replaced() -> None:
    raw = swarm([*managers(2), node("a")], [(service("web", 2), {"m0": 1, "a": 1})])
    prediction = lose(raw, "m0")
    assert only(prediction) == {"a": 1}
    assert prediction.outcomes[0].pending == {"web": 1}
    assert prediction.reasons["web"].startswith("The swarm does not have a leader.")


@pytest.mark.parametrize(("count", "gone", "quorum"), [(3, 0, True), (3, 1, False), (5, 1, True)])
def test_the_quorum_counts_managers_that_are_gone_already(
    count: int, gone: int, quorum: bool
) -> None:
    raw = swarm([*managers(count, gone), node("a")], [(service("web"), {"a": 1})])
    assert lose(raw, f"m{count - 1}").loss.quorum is quorum


def test_two_deaths_may_be_noticed_one_after_the_other() -> None:
    """When b is not known to be dead yet it may be given tasks of c; they move once more."""
    web = service("web", 4)
    raw = swarm(nodes("a d b c"), [(web, {"a": 1, "d": 1, "b": 1, "c": 1})])
    prediction = lose(raw, "b", "c")
    assert prediction.exhaustive
    assert {"a": 2, "d": 2} in counts(prediction)
    assert all(sum(seen.values()) == 4 for seen in counts(prediction))
    assert all(set(seen) <= {"a", "d"} for seen in counts(prediction))


def test_a_task_in_its_restart_delay_is_replaced_later() -> None:
    web = service("web", 3, restart={"Condition": "any", "Delay": 5_000_000_000})
    starting = task(web, 3, "c", state="ready", desired="ready")
    raw = swarm(nodes("a b c"), [(web, {"c": 2})], extra=[starting])
    assert counts(lose(raw, "c")) == [{"a": 1, "b": 2}, {"a": 2, "b": 1}]


def test_too_many_outcomes_are_drawn_from_a_seed() -> None:
    names = " ".join(f"n{i:02}" for i in range(40))
    raw = swarm(nodes(f"{names} x"), [(service("web", 12), {"x": 12})])
    first = lose(raw, "x", bounds=Bounds(draws=200))
    assert not first.exhaustive
    assert first.seed == 1
    assert len(first.outcomes) > 100
    assert all(sum(seen.values()) == 12 and max(seen.values()) == 1 for seen in counts(first))
    assert lose(raw, "x", bounds=Bounds(draws=200)) == first
    assert lose(raw, "x", bounds=Bounds(draws=200, seed=2)).outcomes != first.outcomes


def test_a_node_that_joined_again_keeps_its_name_and_the_old_entry_gets_its_id() -> None:
    machines: Sequence[Any] = [node("a"), node("b", id="old", state="down"), node("b"), node("c")]
    snapshot = parse_swarm(swarm(machines, [(service("web", 2), {"b": 1, "c": 1})]))
    assert [n.name for n in snapshot.nodes] == ["a", "b", "b (old)", "c"]


def test_jobs_are_replaced_like_services() -> None:
    job = service("job", mode="ReplicatedJob")
    raw = swarm(nodes("a b"), [(job, {})], extra=tasks(job, {"b": 2}, desired="complete"))
    assert only(lose(raw, "b"), "job") == {"a": 2}
