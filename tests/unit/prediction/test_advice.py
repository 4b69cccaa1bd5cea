"""The warnings about a loss, and the grade of every node."""

from __future__ import annotations

import pytest

from swarmctl.prediction import Predictor
from swarmctl.prediction.advice import warnings
from swarmctl.prediction.each import each
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm, tasks


def warned(raw: Raw, *names: str) -> dict[str, str]:
    """The warnings by kind (the last of each)."""
    predictor = Predictor(parse_swarm(raw))
    prediction = predictor.predict([f"id-{name}" for name in names])
    return {notice.kind: notice.text for notice in warnings(predictor, prediction)}


def test_a_loss_without_consequences_gives_no_warning() -> None:
    assert warned(swarm(nodes("a b c"), [(service("web", 3), {"a": 1, "b": 1, "c": 1})]), "c") == {}


@pytest.mark.parametrize(
    ("mount", "kind", "said"),
    [
        ({"Type": "volume", "Source": "pgdata"}, "volume", "volume pgdata stays on b"),
        ({"Type": "bind", "Source": "/srv"}, "bind", "/srv is a path on b"),
        ({"Type": "cluster", "Source": "csi"}, "csi", "the prediction ignores cluster"),
    ],
)
def test_data_that_stays_behind(mount: Raw, kind: str, said: str) -> None:
    raw = swarm(nodes("a b c"), [(service("db", mounts=[mount]), {"b": 1})])
    assert said in warned(raw, "b")[kind]


def test_a_replica_that_nothing_replaces() -> None:
    raw = swarm(nodes("a b"), [(service("web", 2, restart={"Condition": "none"}), {"b": 2})])
    assert warned(raw, "b")["policy"] == "web: 2 replicas not replaced (restart condition none)"


def test_quorum_and_leader() -> None:
    managers = [node(f"m{n}", role="manager", leader=n == 0) for n in range(3)]
    raw = swarm(managers, [(service("web"), {"m0": 1})])
    assert warned(raw, "m1")["quorum"].startswith("2 of 3 managers remain: the loss of one more")
    assert "after the election" in warned(raw, "m0")["leader"]
    assert "1 replica on the leader's node" in warned(raw, "m0")["leader"]
    assert warned(raw, "m0", "m1")["quorum"].startswith("quorum is lost: 1 of 3 managers")


def test_deficits_of_host_ports_and_max_replicas() -> None:
    ports = swarm(nodes("a b"), [(service("web", 2, ports=[80]), {"a": 1, "b": 1})])
    assert warned(ports, "b")["host-port"].endswith("2 replicas, 1 node for them")
    most = swarm(nodes("a b"), [(service("web", 2, max_replicas=1), {"a": 1, "b": 1})])
    assert warned(most, "b")["max-replicas"].endswith("2 replicas, 1 node for them")
    assert warned(most, "b")["pending"].startswith("web: 1 replica without a node: no suitable")


def test_replacements_that_would_have_to_pull_their_image() -> None:
    raw = swarm(nodes("a b c"), [(service("web", 3), {"a": 1, "b": 1, "c": 1})])
    assert "pull" not in warned(raw, "c")  # nobody was asked
    raw["images"] = {"id-a": ["httpd:2.4"], "id-b": ["node:20"]}
    assert warned(raw, "c")["pull"].startswith("web: would have to pull httpd:2.4 on b; ")
    assert "pull" not in warned(raw, "b")  # c was not asked, and a has it


def test_addresses_that_run_out() -> None:
    """A /29 has 5 addresses; three tasks, and a load balancer on each of two nodes, take all."""
    network = {
        "Id": "n1",
        "Name": "back",
        "Driver": "overlay",
        "IPAM": {"Config": [{"Subnet": "10.0.9.0/29"}]},
    }
    web = service("web", 3, networks=["n1"])
    placed = [
        *tasks(web, {"a": 1}, addresses=[("n1", "10.0.9.2/29")]),
        *tasks(web, {"b": 1}, addresses=[("n1", "10.0.9.3/29")]),
        *tasks(web, {"b": 1}, addresses=[("n1", "10.0.9.4/29")]),
    ]
    raw = swarm(nodes("a b"), [(web, {})], extra=placed, networks=[network])
    assert warned(raw, "b")["addresses"].startswith("network back: 2 addresses needed, 0 free")


def test_nodes_without_the_label_form_a_group_of_their_own() -> None:
    machines = [node("a", labels={"az": "a"}), node("b"), node("c", labels={"az": "c"})]
    raw = swarm(machines, [(service("web", 3, spread=["node.labels.az"]), {"a": 1, "c": 2})])
    assert warned(raw, "c")["preference"].startswith("web: b without the label node.labels.az")


def test_single_points_of_failure() -> None:
    raw = swarm(nodes("a b"), [(service("web", 2), {"b": 2})])
    predictor = Predictor(parse_swarm(raw))
    said = [n.text for n in warnings(predictor, predictor.predict(["id-b"]))]
    assert "web: all of its replicas (2) are lost at once: it is down until one runs again" in said
    assert "web: only a can run it afterwards" in said
    assert "web: all of its 2 replicas end up on one node" in said


def test_an_uneven_service_and_a_hot_spot() -> None:
    web = service("web", 17)
    raw = swarm(nodes("a b c d"), [(web, {"c": 5, "d": 12})])
    assert warned(raw, "d")["uneven"] == "web: uneven, 3 to 7 a node; Swarm does not rebalance"
    pinned = service("api", 9, constraints=["node.hostname != b", "node.hostname != c"])
    hot = swarm(nodes("a b c d e"), [(pinned, {"d": 9}), (service("web", 2), {"b": 1, "c": 1})])
    pinned["Spec"]["TaskTemplate"]["Placement"]["Constraints"].append("node.hostname != e")
    assert warned(hot, "d")["hot-spot"].startswith("a: up to 9 tasks")


def test_every_node_in_turn_the_worst_first() -> None:
    machines = [node("m", role="manager", leader=True), *nodes("a b c")]
    pinned = service("pinned", 1, constraints=["node.hostname == a"])
    db = service("db", 1, mounts=[{"Type": "volume", "Source": "v"}])
    raw = swarm(machines, [(pinned, {"a": 1}), (db, {"b": 1}), (service("web", 2), {"c": 2})])
    risks = each(Predictor(parse_swarm(raw)))
    assert [(r.node, r.grade, r.affordable) for r in risks] == [
        ("m", "quorum", False),
        ("a", "capacity", False),
        ("b", "data", True),
        ("c", "outage", True),
    ]
    assert risks[1].pending == {"pinned": 1}
    assert "scheduling constraints not satisfied on 3 nodes" in risks[1].reasons["pinned"]
    assert risks[2].left_behind == ("db",)


def test_tasks_pending_already_do_not_count_against_a_node() -> None:
    web = service("web", 3, constraints=["node.labels.none == x"])
    waiting = tasks(web, {"": 3}, state="pending")
    raw = swarm(nodes("a b"), [(web, {})], extra=waiting)
    assert {r.grade for r in each(Predictor(parse_swarm(raw)))} == {"fine"}
