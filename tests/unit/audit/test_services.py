"""Checks of services: what fails, what passes, and what cannot be known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from swarmctl.audit.checks import (
    addresses,
    capacity,
    credentials,
    images,
    network,
    pinned,
    replicas,
    restart_policy,
    spread,
)
from swarmctl.network.finding import Finding, Severity
from swarmctl.registry import renewed
from tests.unit.audit.audited import NOW, facts, found
from tests.unit.scheduler.swarms import Raw, node, nodes, service, swarm

HTTPD = ["httpd:2.4"]


def web(**more: Any) -> Raw:
    """Two replicas on a and b; c may run them, too."""
    return swarm(nodes("a b c"), [(service("web", 2, **more), {"a": 1, "b": 1})])


def test_an_image_that_is_absent_where_a_replica_may_go() -> None:
    absent = web() | {"images": {"id-a": HTTPD, "id-b": HTTPD, "id-c": []}}
    said = "web: would have to pull httpd:2.4 on c"
    assert found(images, facts(absent)) == [(False, said)]
    absent["images"]["id-c"] = HTTPD
    assert found(images, facts(absent)) == []


def test_what_has_no_replicas_needs_no_image() -> None:
    raw = swarm(nodes("a b"), [(service("web", 0), {})]) | {"images": {"id-a": [], "id-b": []}}
    assert found(images, facts(raw)) == []


def test_a_node_that_was_not_asked_is_not_known_to_lack_an_image() -> None:
    silent = web() | {"images": {"id-a": HTTPD, "id-b": HTTPD}}
    given = facts(silent, silent={"c": "c: no answer"})
    assert found(images, given) == [(None, "c: its images are not known: c: no answer")]


def pulled_with(image: str, labels: dict[str, str], there: bool) -> Raw:
    """A service with such credentials; c has its image or not."""
    raw = web()
    spec = raw["services"][0]["Spec"]
    spec["Labels"] = labels
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = image
    return raw | {"images": {"id-a": [image], "id-b": [image], "id-c": [image] if there else []}}


HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
IMAGE = f"{HOST}/shop/web:1"


def renewed_before(hours: float) -> dict[str, str]:
    """The labels after a deploy so many hours ago."""
    time = (NOW - timedelta(hours=hours)).isoformat()
    return {renewed.HOST: HOST, renewed.RENEWED: time}


@pytest.mark.parametrize(
    ("hours", "there", "expected"),
    [
        (6, False, []),
        (10, False, [(True, "end in 2 h 0 min, and their renewal is late")]),
        (13.5, False, [(False, "ended 1 h 30 min ago, and c would have to pull")]),
        (
            12.5,
            True,
            [(True, "ended 30 min 0 s ago; every node has the image, a new one would not")],
        ),
    ],
)
def test_credentials_that_have_ended(
    hours: float, there: bool, expected: list[tuple[bool | None, str]]
) -> None:
    lines = found(credentials, facts(pulled_with(IMAGE, renewed_before(hours), there)))
    what = f"web: pull credentials for {HOST} "
    assert [(ok, detail.removeprefix(what)) for ok, detail in lines] == expected


def test_the_life_of_credentials_is_that_of_their_registry() -> None:
    old = pulled_with(IMAGE, renewed_before(1), there=False)
    ((ok, _),) = found(credentials, facts(old, token_life={HOST: timedelta(minutes=1)}))
    assert ok is False
    old = pulled_with(IMAGE, renewed_before(1000), there=False)
    assert found(credentials, facts(old, token_life={HOST: None})) == []  # a password


def test_credentials_of_a_service_that_was_deployed_by_hand_are_not_known() -> None:
    ((ok, said),) = found(credentials, facts(pulled_with(IMAGE, {}, there=False)))
    assert ok is None
    assert f"nothing tells when its pull credentials for {HOST} were renewed" in said
    assert found(credentials, facts(pulled_with(IMAGE, {}, there=True))) == []
    assert found(credentials, facts(pulled_with("httpd:2.4", {}, there=False))) == []
    wrong = {renewed.HOST: HOST, renewed.RENEWED: "yesterday"}
    ((ok, _),) = found(credentials, facts(pulled_with(IMAGE, wrong, there=True)))
    assert ok is None


def test_replicas_that_do_not_fit_when_a_node_is_lost() -> None:
    full = swarm(nodes("a b", memory=8), [(service("web", 2, memory=5), {"a": 1, "b": 1})])
    lines = found(capacity, facts(full))
    assert [ok for ok, _ in lines] == [False, False]
    assert lines[0][1].startswith("if a is lost, web lacks 1: no suitable node (")
    assert found(capacity, facts(web())) == []
    assert found(capacity, facts(full, services=())) == []  # of another stack


def test_a_service_that_one_node_alone_may_run_is_named_once() -> None:
    alone = swarm(nodes("a b"), [(service("db", constraints=["node.hostname==a"]), {"a": 1})])
    assert found(pinned, facts(alone)) == [(False, "db: only a may run it")]
    assert found(capacity, facts(alone)) == []
    assert found(pinned, facts(web())) == []


def test_a_replica_that_has_used_up_its_restarts_is_not_replaced() -> None:
    used = web(restart={"Condition": "any", "MaxAttempts": 1})
    earlier = next(task for task in used["tasks"] if task["NodeID"] == "id-a")
    used["tasks"].append(
        earlier | {"ID": "earlier", "DesiredState": "shutdown", "CreatedAt": "2026-01-01T00:00:00Z"}
        | {"Status": earlier["Status"] | {"State": "failed"}}
    )  # fmt: skip
    ((ok, said),) = found(capacity, facts(used))
    assert ok is False
    assert said.startswith("if a is lost, web lacks 1: ")


def test_a_restart_policy_that_loses_replicas() -> None:
    assert found(capacity, facts(web(restart={"Condition": "none"}))) == []
    assert found(restart_policy, facts(web())) == []
    none = found(restart_policy, facts(web(restart={"Condition": "none"})))
    said = "web: with restart condition none, lost replicas are not replaced"
    assert none == [(False, said)]


def test_replicas_that_share_a_node_or_a_zone_come_back_later() -> None:
    assert found(spread, facts(web())) == []
    together = swarm(nodes("a b"), [(service("web", 2), {"b": 2})])
    assert found(spread, facts(together)) == [(True, "web: all 2 replicas are on b")]
    zones = [node(name, labels={"az": az}) for name, az in (("a", "1"), ("b", "1"), ("c", "2"))]
    one_zone = swarm(zones, [(service("web", 2), {"a": 1, "b": 1})])
    assert found(spread, facts(one_zone)) == [(True, "web: all 2 replicas are in 1")]


def test_replicas_that_are_missing_already() -> None:
    assert found(replicas, facts(web())) == []
    short = swarm(nodes("a b"), [(service("web", 3), {"a": 1, "b": 1})])
    assert found(replicas, facts(short)) == [(False, "web: 1 of 3 missing: not created yet")]


def addressed(prefix: int, count: int) -> Raw:
    """So many replicas on one node, in a network of this size."""
    raw = swarm(nodes("a b"), [(service("web", count, networks=["net"]), {"a": count})])
    raw["networks"] = [
        {"Id": "net", "Name": "shop_net", "Driver": "overlay",
         "IPAM": {"Config": [{"Subnet": f"10.0.0.0/{prefix}"}]}}
    ]  # fmt: skip
    for i, task in enumerate(raw["tasks"]):
        task["NetworksAttachments"] = [
            {"Network": {"ID": "net"}, "Addresses": [f"10.0.0.{i + 2}/{prefix}"]}
        ]
    return raw


def test_addresses_for_the_replicas_of_a_lost_node() -> None:
    assert found(addresses, facts(addressed(24, 7))) == []
    scarce = "shop_net: 5 of 13 addresses free, one node's loss takes 7"
    assert found(addresses, facts(addressed(28, 7))) == [(False, scarce)]
    ((ok, _),) = found(addresses, facts(addressed(28, 6)))
    assert ok is True
    assert found(addresses, facts(web())) == [(None, "the networks are not known")]


def test_findings_of_the_network_are_taken_over() -> None:
    closed = Finding("wkr_sg", "closed: 4789/udp", "provision")
    open_ = Finding("web", "may be open", "look", Severity.WARNING)
    given = facts(web(), network=(closed, open_))
    assert found(network, given) == [
        (False, "wkr_sg: closed: 4789/udp"),
        (True, "web: may be open"),
    ]
    assert found(network, facts(web(), network=())) == []
    assert found(network, facts(web())) == [(None, "not checked")]
