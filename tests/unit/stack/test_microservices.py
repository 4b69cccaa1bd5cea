"""The stack ``microservices``: what a load balancer and an update rely on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.errors import SwarmctlError
from swarmctl.stack.render.source import render_stack

STACK = Path(__file__).parents[3] / "stacks" / "microservices"
MODES = ["mesh", "host"]


def compose(publish: str, **values: Any) -> dict[str, Any]:
    text = render_stack(STACK, (), {"publish": publish, **values}).compose
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@pytest.mark.parametrize("publish", MODES)
def test_every_service_behind_the_entry_has_a_dynamic_port_of_the_node(publish: str) -> None:
    services = compose(publish)["services"]
    for name, port in (("web", 80), ("auth", 3000), ("service", 3000)):
        assert services[name]["ports"] == [{"target": port, "protocol": "tcp", "mode": "host"}]


def test_only_the_entry_has_a_mesh_port_and_not_that_of_three_tier() -> None:
    mesh = compose("mesh")["services"]["entry"]["ports"]
    assert [(port["published"], port["mode"]) for port in mesh] == [(8080, "ingress")]


@pytest.mark.parametrize("publish", MODES)
def test_host_mode_has_no_virtual_addresses(publish: str) -> None:
    modes = {s["deploy"].get("endpoint_mode") for s in compose(publish)["services"].values()}
    assert modes == ({"dnsrr"} if publish == "host" else {None})


@pytest.mark.parametrize("publish", MODES)
def test_every_service_has_a_health_check_limits_and_rollback(publish: str) -> None:
    for name, service in compose(publish)["services"].items():
        deploy = service["deploy"]
        assert service["healthcheck"]["test"], name
        assert {"reservations", "limits"} <= set(deploy["resources"]), name
        assert deploy["restart_policy"]["condition"] == "any", name
        assert deploy["update_config"]["order"] == "start-first", name
        assert deploy["update_config"]["failure_action"] == "rollback", name


def test_each_service_has_its_own_number_of_replicas() -> None:
    values = {"web.replicas": 5, "auth.replicas": 6, "service.replicas": 7, "entry.replicas": 8}
    services = compose("mesh", **values)["services"]
    counts = {name: service["deploy"]["replicas"] for name, service in services.items()}
    assert counts == {"web": 5, "auth": 6, "service": 7, "entry": 8}


def test_the_entry_sends_each_path_to_its_service_the_longest_first() -> None:
    conf = render_stack(STACK).files["entry/httpd.conf"].decode()
    rules = re.findall(r'^ProxyPass(?:Match)? "(\S+)" "http://tasks\.(\w+):', conf, re.MULTILINE)
    assert rules == [("^/auth(/.*)?$", "auth"), ("^/service(/.*)?$", "service"), ("/", "web")]
    assert not re.search(rules[0][0], "/authors")


def test_the_key_is_an_external_secret_that_only_auth_has() -> None:
    document = compose("mesh")
    assert document["secrets"] == {"auth_key": {"external": True, "name": "microservices_auth_key"}}
    assert [n for n, s in document["services"].items() if "secrets" in s] == ["auth"]


def test_an_unknown_way_to_publish_is_an_error_that_names_the_allowed_ones() -> None:
    with pytest.raises(SwarmctlError, match="publish_must_be_mesh_or_host"):
        compose("ingress")


def test_an_unknown_balancer_is_an_error_that_names_the_allowed_ones() -> None:
    with pytest.raises(SwarmctlError, match="balancer_must_be_entry_or_alb"):
        compose("host", balancer="nlb")


def test_behind_a_load_balancer_there_is_no_entry_and_each_service_has_its_paths() -> None:
    document = compose("host", balancer="alb")
    paths = {
        name: service["deploy"]["labels"]["swarmctl.http.path"]
        for name, service in document["services"].items()
    }
    assert paths == {"web": "/*", "auth": "/auth, /auth/*", "service": "/service, /service/*"}
    assert "entry_conf" not in document["configs"]


def test_requests_in_progress_may_end_before_a_replica_is_killed() -> None:
    for name, service in compose("host", balancer="alb")["services"].items():
        delay = int(service["deploy"]["labels"]["swarmctl.http.deregistration-delay"])
        assert int(service["stop_grace_period"].removesuffix("s")) >= delay, name


def test_it_can_be_deployed_twice_under_two_names() -> None:
    names = {c["name"] for c in compose("host", stack_name="shop")["configs"].values()}
    assert all(name.startswith("shop_") for name in names)
