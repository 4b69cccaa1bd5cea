"""From a Swarm to endpoints: what is one, and under which name."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.forgotten.ask_nodes import forgotten
from swarmctl.discovery.forgotten.memory import Memory, complete
from swarmctl.swarm.model import Port, Swarm
from swarmctl.swarm.observe.host_ports import with_ports
from tests.unit.discovery.shop import NODES, labelled, port, shop
from tests.unit.engine_json import node, swarm, task


def places(given: Swarm) -> list[tuple[str, str]]:
    return [(e.name, e.place) for e in catalogue(given).endpoints]


def test_a_dynamic_host_port_is_an_endpoint_for_each_task_that_serves() -> None:
    found = catalogue(shop())
    assert [(e.id, e.name, e.place, e.zone, e.slot) for e in found.endpoints] == [
        ("task1", "shop-web", "10.42.0.5:32768", "eu-1a", 1),
        ("task2", "shop-web", "10.42.0.6:32768", "eu-1b", 2),
    ]
    assert {(e.service, e.stack, e.version, e.tags) for e in found.endpoints} == {
        ("shop_web", "shop", "2.4", ("v1", "blue"))
    }
    assert found.problems == ()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "starting"},  # with a health check: not healthy yet
        {"desired": "shutdown"},
        {"state": "failed"},
    ],
)
def test_a_task_that_does_not_serve_is_no_endpoint(change: dict[str, Any]) -> None:
    tasks = [task("shop_web", "wkr_1", 1, ports=[port(80, 32768)], **change)]
    assert places(shop(tasks=tasks)) == []


def test_the_tasks_of_a_node_that_is_down_are_no_endpoints_though_they_say_running() -> None:
    down = node("wkr_2", addr="10.42.0.6", state="down")
    assert places(shop(nodes=[*NODES[:2], down])) == [("shop-web", "10.42.0.5:32768")]


def test_a_fixed_host_port_needs_no_report_of_its_node() -> None:
    db = labelled("shop_db", [port(5432, 5432)])
    given = shop(db, more_tasks=(task("shop_db", "wkr_1", 1, ports=[]),))
    assert ("shop-db", "10.42.0.5:5432") in places(given)
    assert catalogue(given).problems == ()


def test_a_port_of_the_mesh_is_an_endpoint_on_each_live_node_while_a_replica_serves() -> None:
    entry = labelled("shop_entry", [port(80, 8080, "ingress")])
    nodes = [
        *NODES,
        node("wkr_3", addr="10.42.0.7", state="down"),
        node("wkr_4", addr="10.42.0.8", availability="drain"),
    ]
    running = shop(entry, nodes=nodes, tasks=[task("shop_entry", "wkr_1", 1)])
    assert places(running) == [
        ("shop-entry", "10.42.0.4:8080"),
        ("shop-entry", "10.42.0.5:8080"),
        ("shop-entry", "10.42.0.6:8080"),
    ]
    starting = task("shop_entry", "wkr_1", 1, "starting")
    assert places(shop(entry, nodes=nodes, tasks=[starting])) == []


def test_a_service_without_a_published_port_is_named_as_such_and_is_no_endpoint() -> None:
    given = shop(labelled("shop_inner", None), tasks=[task("shop_inner", "wkr_1", 1)])
    assert catalogue(given).endpoints == ()
    assert catalogue(given).unpublished == ("shop_inner",)


def test_a_global_service_has_an_endpoint_on_each_of_its_nodes() -> None:
    agent = labelled("shop_agent", [port(9100, 9100)])
    agent["Spec"]["Mode"] = {"Global": {}}
    tasks = [task("shop_agent", "wkr_1"), task("shop_agent", "wkr_2")]
    assert places(shop(agent, tasks=tasks)) == [
        ("shop-agent", "10.42.0.5:9100"),
        ("shop-agent", "10.42.0.6:9100"),
    ]


def test_the_lowest_target_port_has_the_plain_name_and_the_others_have_their_number() -> None:
    ports = [port(443, 8443), port(80, 8080)]
    proxy = labelled("shop_proxy", ports)
    given = shop(proxy, tasks=[task("shop_proxy", "wkr_1", 1, id="t")])
    assert places(given) == [
        ("shop-proxy", "10.42.0.5:8080"),
        ("shop-proxy-443", "10.42.0.5:8443"),
    ]
    assert [e.id for e in catalogue(given).endpoints] == ["t", "t-443-tcp"]
    chosen = labelled("shop_proxy", ports, port="443")
    assert places(shop(chosen, tasks=[task("shop_proxy", "wkr_1", 1)])) == [
        ("shop-proxy", "10.42.0.5:8443"),
        ("shop-proxy-80", "10.42.0.5:8080"),
    ]


def test_the_same_port_over_tcp_and_udp_is_two_endpoints_of_one_name() -> None:
    dns = labelled("shop_dns", [port(53, 53), port(53, 53, Protocol="udp")])
    found = catalogue(shop(dns, tasks=[task("shop_dns", "wkr_1", 1, id="t")])).endpoints
    assert [(e.name, e.protocol, e.id) for e in found] == [
        ("shop-dns", "tcp", "t"),
        ("shop-dns", "udp", "t-53-udp"),
    ]


def test_labels_give_another_name_and_version_or_hide_a_service() -> None:
    named = labelled("shop_a", [port(80, 81)], name="Front", version="7")
    hidden = labelled("shop_b", [port(80, 82)], enable="false")
    tasks = [task("shop_a", "wkr_1", 1), task("shop_b", "wkr_1", 1)]
    (found,) = catalogue(shop(named, hidden, tasks=tasks)).endpoints
    assert (found.name, found.version, found.service) == ("front", "7", "shop_a")


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ({"name": "no good"}, "is no DNS label"),
        ({"name": "x" * 64}, "is no DNS label"),
        ({"name": "a.b"}, "is no DNS label"),
        ({"port": "8080"}, "no such target port"),
        ({"enable": "maybe"}, "write true or false"),
    ],
)
def test_a_poisoned_label_hides_its_service_only_and_is_named(
    labels: dict[str, str], part: str
) -> None:
    bad = labelled("shop_bad", [port(80, 81)], **labels)
    given = shop(bad, more_tasks=(task("shop_bad", "wkr_1", 1),))
    assert [e.name for e in catalogue(given).endpoints] == ["shop-web", "shop-web"]
    (problem,) = catalogue(given).problems
    assert problem.service == "shop_bad"
    assert part in problem.text


def test_two_services_share_a_name_only_if_both_ask_for_it() -> None:
    tasks = [task("shop_a", "wkr_1", 1), task("shop_b", "wkr_2", 1)]
    blue = labelled("shop_a", [port(80, 81)], name="front")
    green = labelled("shop_b", [port(80, 82)], name="front")
    assert places(shop(blue, green, tasks=tasks)) == [
        ("front", "10.42.0.5:81"),
        ("front", "10.42.0.6:82"),
    ]
    clash = labelled("shop_b", [port(80, 82)], name="shop-a")
    plain = labelled("shop_a", [port(80, 81)])
    found = catalogue(shop(plain, clash, tasks=tasks))
    assert [(e.name, e.service) for e in found.endpoints] == [("shop-a", "shop_b")]
    assert [p.service for p in found.problems] == ["shop_a"]


def test_nodes_whose_names_differ_only_in_what_dns_has_not_get_labels_of_their_own() -> None:
    twins = [
        node("wkr_1", addr="10.42.0.5") | {"ID": "aaa"},
        node("wkr-1", addr="10.42.0.6") | {"ID": "bbb"},
        node("wkr_2"),
    ]
    labels = {m.name: m.label for m in catalogue(swarm(twins, [], [])).members}
    assert labels == {"wkr_1": "aaa", "wkr-1": "bbb", "wkr_2": "wkr-2"}


def test_a_port_that_the_managers_forgot_is_remembered_while_the_task_lives() -> None:
    _, memory = complete(shop(), Memory())
    forgotten = [
        task("shop_web", "wkr_1", 1, id="task1"),
        task("shop_web", "wkr_2", 3, id="task3"),
    ]
    known, memory = complete(shop(tasks=forgotten), memory)
    assert places(known) == [("shop-web", "10.42.0.5:32768")]
    (problem,) = catalogue(known).problems
    assert "task3" in problem.text
    assert set(memory.ports) == {"task1"}


def test_the_dynamic_one_of_two_host_ports_is_missed_and_kept_apart() -> None:
    """Broken: the fixed one is known, so nobody asks for the other."""
    both = labelled("shop_both", [port(8080, 8080), port(9090)])
    given = shop(both, tasks=[task("shop_both", "wkr_1", 1, id="t")])
    assert [s.name for s in forgotten(given)] == ["shop_both"]
    found = catalogue(given)
    assert [e.id for e in found.endpoints] == ["t"]
    assert [(e.id, e.port) for e in found.unknown] == [("t-9090-tcp", 0)]
    known = with_ports(given, {"t": (Port("tcp", 9090, 32768, "host"),)})
    assert [e.port for e in catalogue(known).endpoints] == [8080, 32768]
    assert catalogue(known).unknown == ()
    _, memory = complete(known, Memory())
    half = [task("shop_both", "wkr_1", 1, id="t", ports=[port(8080, 8080)])]
    assert len(catalogue(complete(shop(both, tasks=half), memory)[0]).endpoints) == 2


@pytest.mark.parametrize("state", ["unknown", "disconnected"])
def test_a_node_that_a_new_leader_has_not_heard_from_keeps_its_state(state: str) -> None:
    _, memory = complete(shop(), Memory())
    election = shop(nodes=[NODES[0], NODES[1], node("wkr_2", addr="10.42.0.6", state=state)])
    assert len(places(election)) == 1
    known, memory = complete(election, memory)
    assert len(places(known)) == 2
    down = shop(nodes=[NODES[0], NODES[1], node("wkr_2", addr="10.42.0.6", state="down")])
    known, memory = complete(down, memory)
    assert len(places(known)) == 1
    known, _ = complete(election, memory)
    assert len(places(known)) == 1
