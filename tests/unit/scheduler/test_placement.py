"""Where tasks go when a node dies, rule by rule."""

from __future__ import annotations

import pytest

from swarmctl.scheduler.board import Board
from swarmctl.swarm.parse import parse_swarm
from tests.unit.prediction.losses import counts, lose, only
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm, task


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


def test_failures_from_before_the_last_election_are_not_counted_and_leave_a_doubt() -> None:
    """A leader writes every live node when it starts: these were written after the failures."""
    web = service("web", 3)
    failed = [task(web, 1, "a", state="failed", desired="shutdown") for _ in range(5)]
    machines = nodes("a b c")
    raw = swarm(machines, [(web, {"b": 2, "c": 1})], extra=failed)
    for machine in machines:
        machine["UpdatedAt"] = "2026-01-01T12:00:30Z"
    prediction = lose(raw, "c")
    assert counts(prediction) == [{"a": 1, "b": 2}]
    assert not prediction.exhaustive
    machines[1]["UpdatedAt"] = "2025-12-24T12:00:00Z"  # not written since: no election since
    prediction = lose(raw, "c")
    assert counts(prediction) == [{"b": 3}]
    assert prediction.exhaustive


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


def test_failures_count_while_no_node_is_live() -> None:
    """No live node tells when the leader began: the failures that are listed are believed."""
    web = service("web", 1)
    failed = [task(web, 1, "a", state="failed", desired="shutdown") for _ in range(5)]
    board = Board(parse_swarm(swarm([node("a", state="unknown")], [(web, {})], extra=failed)))
    assert not board.failures_in_doubt
    assert board.field(board.services["id-web"], frozenset(), ()).best((), 1) == {}
