"""Which moves even a service out, and which services nobody touches."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.errors import UsageError
from swarmctl.rebalance.plan import Proposal, propose, unevenness
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm, task


def only(raw: Raw) -> Proposal:
    (proposal,) = propose(parse_swarm(raw))
    return proposal


def web(replicas: int, **more: Any) -> Raw:
    return service("web", replicas, **more)


def test_an_empty_node_gets_its_share() -> None:
    found = only(swarm(nodes("a b c"), [(web(10), {"a": 5, "b": 5})]))
    assert found.after == {"a": 4, "b": 3, "c": 3} or found.after == {"a": 3, "b": 4, "c": 3}
    assert len(found.moves) == 3
    assert all(move.target == "c" for move in found.moves)
    assert (found.spread(found.before), found.spread(found.after)) == (5, 1)
    assert not found.reason


def test_an_even_service_is_left_as_it_is() -> None:
    found = only(swarm(nodes("a b c"), [(web(4), {"a": 2, "b": 1, "c": 1})]))
    assert found.moves == ()
    assert found.reason == ""


def test_every_move_makes_it_more_even_so_there_is_an_end() -> None:
    found = only(swarm(nodes("a b c d e"), [(web(40), {"a": 33, "b": 7})]))
    counts, last = dict(found.before), unevenness(found.before)
    for move in found.moves:
        counts[move.source] -= 1
        counts[move.target] += 1
        assert unevenness(counts) < last
        last = unevenness(counts)
    assert sorted(counts.values()) == [8] * 5


def test_constraints_and_availability_say_where_it_may_go() -> None:
    machines = [*nodes("a b", labels={"disk": "ssd"}), node("c"), node("d", availability="pause")]
    of = web(6, constraints=["node.labels.disk == ssd"])
    found = only(swarm(machines, [(of, {"a": 6})]))
    assert found.before == {"a": 6, "b": 0}
    assert found.after == {"a": 3, "b": 3}


def test_other_architectures_get_nothing() -> None:
    machines = [*nodes("a b"), node("arm", arch="aarch64")]
    of = web(4, platforms=[{"Architecture": "amd64", "OS": "linux"}])
    assert only(swarm(machines, [(of, {"a": 4})])).after == {"a": 2, "b": 2}


def test_a_node_without_room_is_named_with_swarms_own_words() -> None:
    machines = [node("a", cpus=8), node("b", cpus=1)]
    found = only(swarm(machines, [(web(8, cpus=1), {"a": 8})]))
    assert found.after == {"a": 7, "b": 1}
    assert "b cannot take more" in found.reason
    assert "insufficient resources on 1 node" in found.reason


def test_max_replicas_per_node_is_kept() -> None:
    found = only(swarm(nodes("a b c"), [(web(4, max_replicas=2), {"a": 2, "b": 2})]))
    assert found.after == {"a": 1, "b": 2, "c": 1} or found.after == {"a": 2, "b": 1, "c": 1}


def test_a_fixed_host_port_needs_a_free_node() -> None:
    other = service("other", 1, ports=[80])
    of = web(2, ports=[80])
    raw = swarm(nodes("a b c"), [(of, {"a": 1, "b": 1}), (other, {"c": 1})])
    found = next(p for p in propose(parse_swarm(raw)) if p.service == "web")
    assert found.moves == ()


def test_a_node_where_it_keeps_failing_is_avoided_as_the_scheduler_does() -> None:
    of = web(4)
    failed = [
        task(of, 9, "b", state="failed", desired="shutdown", at=f"2026-01-01T12:00:0{n}Z")
        for n in range(6)
    ]
    found = only(swarm(nodes("a b"), [(of, {"a": 4})], extra=failed))
    assert found.moves == ()
    assert "Swarm avoids b" in found.reason


def test_a_paused_node_gives_its_replicas_first_as_it_has_most() -> None:
    machines = [*nodes("a b"), node("p", availability="pause")]
    found = only(swarm(machines, [(web(8), {"p": 5, "a": 3})]))
    assert found.moves[0].source == "p"
    assert found.spread(found.after) <= 1


def test_later_services_reckon_with_what_earlier_ones_have_taken() -> None:
    first = service("aaa", 4, cpus=1)
    second = service("bbb", 4, cpus=1)
    machines = [node("big", cpus=8), node("small", cpus=3)]
    found = propose(parse_swarm(swarm(machines, [(first, {"big": 4}), (second, {"big": 4})])))
    assert [p.after["small"] for p in found] == [2, 1]


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (service("x", mode="Global"), "global"),
        (service("x", mode="ReplicatedJob"), "a job"),
        (service("x", 1), "fewer than two"),
        (service("x", 2, mounts=[{"Type": "volume", "Source": "data"}]), "volume data"),
        (service("x", 2, mounts=[{"Type": "bind", "Source": "/srv"}]), "path /srv"),
        (service("x", 2, mounts=[{"Type": "cluster", "Source": "g"}]), "CSI"),
        (service("x", 2, spread=["node.labels.az"]), "placement preferences"),
        ({**service("x", 2), "UpdateStatus": {"State": "updating"}}, "updating"),
        ({**service("x", 2), "UpdateStatus": {"State": "paused"}}, "paused"),
        ({**service("x", 2), "UpdateStatus": {"State": "rollback_paused"}}, "rollback paused"),
        (service("x", 3), "2 of 3 replicas run"),
    ],
)
def test_left_alone_with_its_reason(of: Raw, words: str) -> None:
    found = only(swarm(nodes("a b c"), [(of, {"a": 2})]))
    assert found.moves == ()
    assert words in found.reason


@pytest.mark.parametrize("state", ["completed", "rollback_completed"])
def test_an_update_that_is_over_is_no_obstacle(state: str) -> None:
    of = {**web(2), "UpdateStatus": {"State": state}}
    assert len(only(swarm(nodes("a b"), [(of, {"a": 2})])).moves) == 1


def test_a_volume_that_is_everywhere_is_no_obstacle() -> None:
    nfs = {"Type": "volume", "Source": "d", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}}
    machines = nodes("a b", plugins=[{"Type": "Volume", "Name": "nfs"}])
    assert len(only(swarm(machines, [(web(2, mounts=[nfs]), {"a": 2})])).moves) == 1


def test_tasks_of_an_older_version_are_left_to_swarm() -> None:
    of = web(2)
    raw = swarm(nodes("a b"), [(of, {"a": 2})])
    raw["tasks"][0] = {**raw["tasks"][0], "Spec": {"ContainerSpec": {"Image": "old"}}}
    assert "older version" in only(raw).reason


def test_only_the_services_that_are_named() -> None:
    raw = swarm(nodes("a b"), [(web(2), {"a": 2}), (service("api", 2), {"a": 2})])
    assert [p.service for p in propose(parse_swarm(raw), ["api"])] == ["api"]
    with pytest.raises(UsageError) as caught:
        propose(parse_swarm(raw), ["apy"])
    assert "did you mean 'api'" in caught.value.hint
