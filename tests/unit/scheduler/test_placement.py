"""Where tasks go when a node dies, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from swarmctl.prediction import Bounds, Prediction, Predictor
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm, task, tasks

Seen = dict[str, int]


def lose(raw: Raw, *names: str, bounds: Bounds | None = None) -> Prediction:
    return Predictor(parse_swarm(raw)).predict([f"id-{name}" for name in names], bounds)


def counts(prediction: Prediction, of: str = "web") -> list[Seen]:
    return [dict(outcome.counts[of]) for outcome in prediction.outcomes]


def only(prediction: Prediction, of: str = "web") -> Seen:
    """The one outcome there is."""
    assert prediction.exhaustive
    (seen,) = counts(prediction, of)
    return seen


def test_assignment_is_not_greedy() -> None:
    """The nodes are sorted once; the walk stays on b until c is strictly better."""
    web = service("web", 17)
    raw = swarm(nodes("a b c d"), [(web, {"c": 5, "d": 12})])
    prediction = lose(raw, "d")
    assert prediction.exhaustive
    assert counts(prediction) == [{"a": 3, "b": 7, "c": 7}, {"a": 7, "b": 3, "c": 7}]


def test_a_tie_gives_one_outcome_for_each_node() -> None:
    raw = swarm(nodes("a b c d"), [(service("web"), {"d": 1})])
    assert counts(lose(raw, "d")) == [{"a": 1}, {"b": 1}, {"c": 1}]


def test_fewer_tasks_of_other_services_break_a_tie() -> None:
    raw = swarm(nodes("a b c"), [(service("web"), {"c": 1}), (service("api", 3), {"a": 2, "b": 1})])
    assert only(lose(raw, "c")) == {"b": 1}


def test_services_are_placed_in_any_order() -> None:
    """Whichever comes first takes the only place that is left."""
    one, two = service("one", cpus=1), service("two", cpus=1)
    raw = swarm([node("a", cpus=1), node("b")], [(one, {"b": 1}), (two, {"b": 1})])
    prediction = lose(raw, "b")
    assert [o.pending for o in prediction.outcomes] == [{"two": 1}, {"one": 1}]
    assert prediction.reasons["one"] == (
        "no suitable node (1 node not available for new tasks; insufficient resources on 1 node)"
    )


@pytest.mark.parametrize(
    ("constraint", "allowed"),
    [
        ("node.labels.disk == SSD", {"a"}),  # values without regard to case
        ("node.labels.Disk == ssd", set()),  # names of labels with regard to it
        ("NODE.LABELS.disk==ssd", {"a"}),
        ("node.labels.disk != ssd", {"b", "c"}),  # c has no such label
        ("node.labels.disk == s*", set()),  # no globs
        ("node.hostname == b", {"b"}),
        ("node.id != id-b", {"a", "c"}),
        ("node.role == worker", {"a", "b", "c"}),
        ("node.role == manager", set()),
        ("node.ip == 10.1.0.0/16", {"a"}),
        ("node.ip != 10.1.0.1", {"b", "c"}),
        ("node.ip == nonsense", set()),
        ("node.platform.arch == aarch64", {"c"}),
        ("node.platform.os == Linux", {"a", "b", "c"}),
        ("engine.labels.rack == r1", {"b"}),
        ("node.weather == fine", set()),  # unknown keys never match
        ("node.weather != fine", set()),
    ],
)
def test_constraints(constraint: str, allowed: set[str]) -> None:
    machines = [
        node("a", labels={"disk": "ssd"}, addr="10.1.0.1"),
        node("b", labels={"disk": "hdd"}, engine_labels={"rack": "r1"}),
        node("c", arch="aarch64"),
        node("d"),
    ]
    prediction = lose(swarm(machines, [(service("web", constraints=[constraint]), {"d": 1})]), "d")
    assert {name for seen in counts(prediction) for name in seen} == allowed
    if not allowed:
        assert prediction.reasons["web"] == (
            "no suitable node (scheduling constraints not satisfied on 3 nodes; "
            "1 node not available for new tasks)"
        )


def test_a_malformed_constraint_disables_them_all() -> None:
    web = service("web", constraints=["node.labels.x", "node.hostname == b"])
    assert len(counts(lose(swarm(nodes("a b c"), [(web, {"c": 1})]), "c"))) == 2


@pytest.mark.parametrize("availability", ["pause", "drain"])
def test_only_active_nodes_get_tasks(availability: str) -> None:
    machines = [node("a"), node("b", availability=availability), node("c")]
    assert only(lose(swarm(machines, [(service("web", 2), {"c": 2})]), "c")) == {"a": 2}


def test_a_paused_node_keeps_what_it_has() -> None:
    machines = [node("a"), node("b", availability="pause"), node("c")]
    raw = swarm(machines, [(service("web", 3), {"b": 1, "c": 2})])
    assert only(lose(raw, "c")) == {"a": 2, "b": 1}


def test_tasks_told_to_shut_down_still_take_their_reservations() -> None:
    old, web = service("old", 0, cpus=3), service("web", cpus=2)
    stopping = task(old, 1, "a", desired="shutdown")
    raw = swarm(nodes("a b"), [(old, {}), (web, {"b": 1})], extra=[stopping])
    assert lose(raw, "b").outcomes[0].pending == {"web": 1}


def test_memory_and_generic_resources_run_out() -> None:
    gpu = [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 1}}]
    named = [{"NamedResourceSpec": {"Kind": "gpu", "Value": f"uuid{n}"}} for n in range(2)]
    machines = [node("a", generic=gpu), node("b", generic=named), node("c"), node("d")]
    raw = swarm(machines, [(service("web", 4, generic=gpu, memory=1), {"d": 4})])
    prediction = lose(raw, "d")
    assert only(prediction) == {"a": 1, "b": 2}
    assert prediction.reasons["web"].startswith("no suitable node (insufficient resources on 3")


def test_a_host_port_is_taken_once_a_node() -> None:
    raw = swarm(nodes("a b c"), [(service("web", 3, ports=[80]), {"a": 1, "c": 2})])
    prediction = lose(raw, "c")
    assert only(prediction) == {"a": 1, "b": 1}
    assert prediction.outcomes[0].pending == {"web": 1}
    assert "host-mode port already in use on 2 nodes" in prediction.reasons["web"]


def test_two_services_compete_for_a_host_port() -> None:
    one, two = service("one", ports=[80]), service("two", ports=[80])
    raw = swarm(nodes("a b"), [(one, {"b": 1}), (two, {"b": 1})])
    assert [o.pending for o in lose(raw, "b").outcomes] == [{"two": 1}, {"one": 1}]


def test_max_replicas_per_node() -> None:
    raw = swarm(nodes("a b c"), [(service("web", 6, max_replicas=2), {"a": 2, "b": 1, "c": 3})])
    prediction = lose(raw, "c")
    assert only(prediction) == {"a": 2, "b": 2}
    assert prediction.reasons["web"] == (
        "no suitable node (max replicas per node limit exceed; 1 node not available for new tasks)"
    )


@pytest.mark.parametrize(
    ("platforms", "allowed"),
    [
        ([{"OS": "linux", "Architecture": "amd64"}], {"a"}),
        ([{"OS": "linux"}], {"a", "b"}),
        ([{"Architecture": "arm64"}, {"OS": "windows"}], {"b"}),
        ([{"OS": "windows"}], set()),
    ],
)
def test_platforms_of_the_image(platforms: list[Raw], allowed: set[str]) -> None:
    machines = [node("a", arch="x86_64"), node("b", arch="aarch64"), node("c")]
    prediction = lose(swarm(machines, [(service("web", platforms=platforms), {"c": 1})]), "c")
    assert {name for seen in counts(prediction) for name in seen} == allowed


def test_plugins_that_a_task_needs() -> None:
    overlay = {"Type": "Network", "Name": "overlay"}
    rexray = {"Type": "Volume", "Name": "rexray:latest"}
    fluentd = {"Type": "Log", "Name": "fluentd"}
    machines = [
        node("a", plugins=[overlay, rexray, fluentd]),
        node("b", plugins=[overlay, fluentd]),
        node("c", plugins=[rexray]),
        node("d", plugins=[overlay, rexray]),  # tells of no log drivers at all: not filtered
        node("e", plugins=[overlay, rexray, {"Type": "Log", "Name": "gelf"}]),
        node("f"),
    ]
    volume = {"Type": "volume", "VolumeOptions": {"DriverConfig": {"Name": "rexray"}}}
    web = service("web", mounts=[volume], networks=["net"], log_driver="fluentd")
    networks = [{"Id": "net", "Name": "net", "Driver": "overlay"}]
    prediction = lose(swarm(machines, [(web, {"f": 1})], networks=networks), "f")
    assert counts(prediction) == [{"a": 1}, {"d": 1}]


def test_a_preference_spreads_over_values_and_not_over_nodes() -> None:
    machines = [
        node("a1", labels={"az": "a"}),
        node("a2", labels={"az": "a"}),
        node("b1", labels={"az": "b"}),
        node("x", labels={"az": "b"}),
    ]
    raw = swarm(machines, [(service("web", 4, spread=["node.labels.az"]), {"x": 4})])
    assert only(lose(raw, "x")) == {"a1": 1, "a2": 1, "b1": 2}


def test_nodes_without_the_label_are_a_branch_of_their_own() -> None:
    machines = [
        node("a", labels={"az": "a"}),
        node("b", labels={"az": "b"}),
        node("c"),
        node("d"),
        node("x", labels={"az": "b"}),
    ]
    raw = swarm(machines, [(service("web", 6, spread=["node.labels.az"]), {"x": 6})])
    assert only(lose(raw, "x")) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_a_full_branch_gives_its_share_to_the_others() -> None:
    machines = [
        node("a", labels={"az": "a"}, cpus=1),
        node("b", labels={"az": "b"}, cpus=9),
        node("x", labels={"az": "c"}),
    ]
    raw = swarm(machines, [(service("web", 4, cpus=1, spread=["node.labels.az"]), {"x": 4})])
    assert only(lose(raw, "x")) == {"a": 1, "b": 3}


def test_few_tasks_go_to_the_branch_that_comes_first() -> None:
    """With 10 tasks in zone a, zones b and c are each asked to take four of the two."""
    machines = [node(name, labels={"az": name}) for name in "abc"] + [node("x", labels={"az": "b"})]
    raw = swarm(machines, [(service("web", 12, spread=["node.labels.az"]), {"a": 10, "x": 2})])
    assert counts(lose(raw, "x")) == [{"a": 10, "b": 2}, {"a": 10, "c": 2}]


def test_preferences_that_are_no_labels_are_ignored() -> None:
    raw = swarm(nodes("a b c"), [(service("web", 2, spread=["node.hostname"]), {"c": 2})])
    assert only(lose(raw, "c")) == {"a": 1, "b": 1}


def test_five_recent_failures_make_a_node_the_last_choice() -> None:
    web = service("web", 3)
    failed = [task(web, 1, "a", state="failed", desired="shutdown") for _ in range(5)]
    raw = swarm(nodes("a b c"), [(web, {"b": 2, "c": 1})], extra=failed)
    assert only(lose(raw, "c")) == {"b": 3}
    assert only(lose(raw | {"tasks": [t for t in raw["tasks"] if t not in failed[:1]]}, "c")) == {
        "a": 1,
        "b": 2,
    }


def test_old_failures_are_forgotten() -> None:
    web = service("web", 3)
    old = "2026-01-01T11:54:00Z"
    failed = [task(web, 1, "a", state="failed", desired="shutdown", at=old) for _ in range(5)]
    raw = swarm(nodes("a b c"), [(web, {"b": 2, "c": 1})], extra=failed)
    assert only(lose(raw, "c")) == {"a": 1, "b": 2}


def test_a_new_leader_knows_of_no_failures() -> None:
    web = service("web", 3)
    failed = [task(web, 1, "a", state="failed", desired="shutdown") for _ in range(5)]
    managers = [node(n, role="manager", leader=n == "c") for n in "cde"]
    for other in managers[1:]:
        other["Spec"]["Availability"] = "pause"
    raw = swarm([*nodes("a b"), *managers], [(web, {"b": 2, "c": 1})], extra=failed)
    prediction = lose(raw, "c")
    assert counts(prediction) == [{"a": 1, "b": 2}]
    assert not prediction.exhaustive  # other nodes may be late to register with the new leader


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


def test_an_observation_is_compared_without_regard_to_zeros() -> None:
    prediction = lose(swarm(nodes("a b"), [(service("web"), {"b": 1})]), "b")
    assert prediction.allows({"web": {"a": 1, "b": 0}, "other": {}})
    assert not prediction.allows({"web": {"b": 1}})
