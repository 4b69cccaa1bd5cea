"""Consul's HTTP API: the forms that clients read, and the parameters that they send."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.consul.api import Answer, answer
from swarmctl.discovery.consul.blocking import BlockingQuery, read_blocking
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.consul.key_values import entries
from swarmctl.discovery.edition import follow
from tests.unit.discovery.shop import NODES, labelled, port, shop
from tests.unit.engine_json import node, task

IDENTITY = Identity(datacenter="dc1", node="here", version="1")


def config(name: str, data: str, version: int = 7, key: str = "") -> dict[str, Any]:
    encoded = base64.b64encode(data.encode()).decode()
    spec = {"Name": name, "Data": encoded, "Labels": {"swarmctl.kv.key": key} if key else {}}
    return {"ID": name, "Version": {"Index": version}, "Spec": spec}


CONFIGS = [
    config("kv.greeting", "hello"),
    config("kv.x1", "old", 3, "app/db/url"),
    config("kv.x2", "new", 9, "app/db/url"),
    config("kv.x3", "4", key="app/size"),
    config("other", "secret"),
]
AUTH = labelled("shop_auth", [port(3000, 3000)], tags="v2")
GIVEN = shop(
    AUTH,
    nodes=[*NODES, node("wkr_3", addr="10.42.0.7", state="down")],
    more_tasks=(task("shop_auth", "wkr_2", 1, id="task9"),),
)
EDITION = follow(None, catalogue(GIVEN), entries(CONFIGS, "kv."), 1000)


def ask(path: str, **query: str | list[str]) -> Answer:
    values = {k.replace("_", "-"): [v] if isinstance(v, str) else v for k, v in query.items()}
    found = answer(EDITION, path, values, IDENTITY)
    if found.json:
        json.dumps(found.body)
    return found


def body(path: str, **query: str | list[str]) -> Any:
    found = ask(path, **query)
    assert found.status == 200, found
    return found.body


def test_the_services_are_names_with_their_tags() -> None:
    assert body("/v1/catalog/services") == {"shop-auth": ["v2"], "shop-web": ["v1", "blue"]}


def test_a_catalogue_entry_has_the_fields_that_clients_read() -> None:
    first, second = body("/v1/catalog/service/shop-web")
    assert first["ServiceID"] == "task1"
    assert (first["ServiceAddress"], first["ServicePort"]) == ("10.42.0.5", 32768)
    assert (first["Node"], first["Address"], first["Datacenter"]) == ("wkr_1", "10.42.0.5", "dc1")
    assert first["ServiceTags"] == ["v1", "blue"]
    assert first["ServiceMeta"]["zone"] == "eu-1a"
    assert all(isinstance(value, str) for value in first["ServiceMeta"].values())
    assert second["Node"] == "wkr_2"
    for field in ("TaggedAddresses", "NodeMeta", "CreateIndex", "ModifyIndex", "ServiceName"):
        assert field in first


def test_the_health_of_a_service_has_node_service_and_passing_checks() -> None:
    first, _ = body("/v1/health/service/SHOP-web", passing="")
    assert first["Node"]["Node"] == "wkr_1"
    assert first["Node"]["Meta"] == {"zone": "eu-1a", "role": "worker"}
    service = first["Service"]
    assert (service["Service"], service["Address"], service["Port"]) == (
        "shop-web", "10.42.0.5", 32768,
    )  # fmt: skip
    assert service["Weights"] == {"Passing": 1, "Warning": 1}
    assert [(c["CheckID"], c["Status"]) for c in first["Checks"]] == [
        ("serfHealth", "passing"),
        ("service:task1", "passing"),
    ]


def test_an_unknown_service_is_an_empty_list_and_no_error() -> None:
    assert body("/v1/health/service/nosuch") == []
    assert body("/v1/catalog/service/nosuch") == []


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"tag": "blue"}, ["task1", "task2"]),
        ({"tag": ["v1", "BLUE"]}, ["task1", "task2"]),
        ({"tag": ["v1", "green"]}, []),
        ({"near": "wkr_2"}, ["task2", "task1"]),
        ({"near": "nosuch"}, ["task1", "task2"]),
        ({"node_meta": "zone:eu-1b"}, ["task2"]),
        ({"dc": "dc1", "stale": "", "cached": ""}, ["task1", "task2"]),
        ({"filter": 'Service.Meta.zone == "eu-1b"'}, ["task2"]),
        ({"filter": 'Service.Meta.nosuch == "x"'}, []),
        ({"filter": '"blue" in Service.Tags and not (Node.Node == wkr_1)'}, ["task2"]),
        ({"filter": 'Service.Tags contains "green" or Service.ID matches "1$"'}, ["task1"]),
        ({"filter": 'Service.Tags is not empty and Service.Port != "1"'}, ["task1", "task2"]),
        ({"filter": '"v1" not in Service.Tags'}, []),
        ({"filter": "Service.Tags is empty"}, []),
    ],
)
def test_parameters_choose_and_order_the_instances(query: dict[str, Any], ids: list[str]) -> None:
    found = body("/v1/health/service/shop-web", **query)
    assert [entry["Service"]["ID"] for entry in found] == ids


@pytest.mark.parametrize(
    "expression",
    ["Service.Nosuch == 1", "Service.ID ==", "(Service.ID == 1", "Service.ID like 1", '"a"', "="],
)
def test_a_filter_that_is_not_understood_is_refused_and_not_ignored(expression: str) -> None:
    found = ask("/v1/health/service/shop-web", filter=expression)
    assert found.status == 400
    assert "expression" in found.body


@pytest.mark.parametrize(
    "expression",
    [
        'Node.ID matches "(a+)+$"',
        'Node.ID matches "a?a?a?a?a?a?aaaaaa"',
        'Node.ID matches "(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)b"',
        r'Node.ID matches "(\\w)\\1"',
        "(" * 5000,
        "not " * 400 + 'Service.Port == "1"',
        '"x" in Service.EnableTagOverride',
    ],
)
def test_a_filter_that_may_take_for_ever_is_refused(expression: str) -> None:
    assert ask("/v1/health/service/shop-web", filter=expression).status == 400


def test_the_services_can_be_filtered_as_the_newer_prometheus_does() -> None:
    found = body(
        "/v1/catalog/services", filter='ServiceMeta.stack == "shop" and "v2" in ServiceTags'
    )
    assert found == {"shop-auth": ["v2"]}
    assert ask("/v1/catalog/services", filter="x").status == 400


def test_another_datacentre_is_an_error() -> None:
    assert ask("/v1/catalog/services", dc="dc2").status == 500


def test_a_dead_node_is_listed_as_failed_and_its_check_is_critical() -> None:
    members = {m["Name"]: m["Status"] for m in body("/v1/agent/members")}
    assert members == {"mgr_1": 1, "wkr_1": 1, "wkr_2": 1, "wkr_3": 4}
    (check,) = body("/v1/health/state/critical")
    assert (check["Node"], check["CheckID"]) == ("wkr_3", "serfHealth")
    assert len(body("/v1/health/state/any")) == 4 + 3
    assert [n["Node"] for n in body("/v1/catalog/nodes")] == ["mgr_1", "wkr_1", "wkr_2", "wkr_3"]


def test_a_node_has_its_services_and_checks() -> None:
    found = body("/v1/catalog/node/wkr_2")
    assert set(found["Services"]) == {"task2", "task9"}
    assert len(body("/v1/health/node/wkr_2")) == 3
    assert body("/v1/catalog/node/nosuch") is None


def test_the_agent_names_datacentre_leader_and_peers() -> None:
    assert body("/v1/catalog/datacenters") == ["dc1"]
    assert body("/v1/agent/self")["Config"]["Datacenter"] == "dc1"
    assert body("/v1/status/leader") == "10.42.0.4:2377"
    assert body("/v1/status/peers") == ["10.42.0.4:2377"]


def test_what_is_not_offered_says_so() -> None:
    for path in ("/v1/acl/tokens", "/v1/session/list", "/v1/catalog/service/", "/", "/v2/x"):
        assert ask(path).status == 404


def test_the_key_value_store_is_the_configs_with_the_prefix() -> None:
    (found,) = body("/v1/kv/app/db/url")
    assert (found["Key"], base64.b64decode(found["Value"]), found["ModifyIndex"]) == (
        "app/db/url", b"new", 9,
    )  # fmt: skip
    assert body("/v1/kv/greeting", raw="") == b"hello"
    assert [e["Key"] for e in body("/v1/kv/app", recurse="")] == ["app/db/url", "app/size"]
    assert body("/v1/kv/", keys="") == ["app/db/url", "app/size", "greeting"]
    assert body("/v1/kv/app/", keys="", separator="/") == ["app/db/", "app/size"]
    assert ask("/v1/kv/other").status == 404
    assert entries(CONFIGS, "") == ()


def test_an_unchanged_swarm_keeps_the_index_and_a_change_raises_it() -> None:
    assert follow(EDITION, catalogue(GIVEN), EDITION.keys, 5000) is EDITION
    later = follow(EDITION, catalogue(shop()), EDITION.keys, 5000)
    assert later.index == 5000
    assert later.since == {"task1": 1000, "task2": 1000}
    assert follow(later, catalogue(GIVEN), EDITION.keys, 10).index == 5001


def test_the_index_never_falls_when_the_process_is_started_again() -> None:
    before = EDITION
    for step in range(1, 5):
        before = follow(before, catalogue(shop() if step % 2 else GIVEN), (), 1000 + step)
    assert follow(None, catalogue(shop()), (), 1500).index > before.index


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, None),
        ({"wait": ["5s"]}, None),
        ({"index": ["0"], "wait": ["5s"]}, None),
        ({"index": ["7"]}, BlockingQuery(7, 300)),
        ({"index": ["7"], "wait": ["16s"]}, BlockingQuery(7, 16)),
        ({"index": ["7"], "wait": ["30000ms"]}, BlockingQuery(7, 30)),
        ({"index": ["7"], "wait": ["2h"]}, BlockingQuery(7, 600)),
    ],
)
def test_a_blocking_query_waits_as_long_as_consul_would(
    query: dict[str, list[str]], expected: BlockingQuery | None
) -> None:
    assert read_blocking(query, 0) == expected
    if expected:
        spread = read_blocking(query, 1)
        assert spread is not None
        assert spread.seconds == pytest.approx(expected.seconds * 17 / 16)


@pytest.mark.parametrize("query", [{"index": ["x"]}, {"wait": ["soon"]}])
def test_an_index_or_a_wait_that_cannot_be_read_is_an_error(query: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        read_blocking(query, 0)
