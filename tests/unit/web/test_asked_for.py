"""What is asked for beside the stream: discovery, the load balancer, findings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from swarmctl.audit.check import Check
from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.discovery.as_json import as_json
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port
from swarmctl.web.answers import answers
from swarmctl.web.app import Query
from swarmctl.web.balancer import Balanced, Balancer
from swarmctl.web.findings import AGAIN_S, Findings
from swarmctl.web.poller import LONGEST_S, Reading, pause
from tests.unit.load_balancer.balanced import CLUSTER, World, edition, http, runs
from tests.unit.web.simulated import Simulated, served, swarm

SECONDS = 10


@pytest.fixture
def source() -> Simulated:
    return Simulated(swarm(nodes=4, services=2, replicas=3))


@pytest.fixture
def url(source: Simulated, tmp_path: Path) -> Iterator[str]:
    with served(source, tmp_path) as found:
        yield found


def test_names_are_those_of_discovery_list(url: str, source: Simulated) -> None:
    first, *rest = source.found.services
    with_port = replace(first, ports=(Port("tcp", 80, 8080, "ingress"),))
    source.found = replace(source.found, services=(with_port, *rest))
    found = requests.get(f"{url}api/discovery", timeout=SECONDS).json()
    listed = catalogue(source.found)
    expected = json.loads(json.dumps(as_json(listed, listed.endpoints, {})))
    assert found["endpoints"] == expected["endpoints"] != []
    assert (found["urls"], found["targets"], found["fault"]) == ({}, {}, "")


def test_a_port_that_the_managers_forgot_is_asked_of_its_node(url: str, source: Simulated) -> None:
    """Broken: after an election the page says that a service cannot be reached."""
    first, *rest = source.found.services
    dynamic = replace(first, ports=(Port("tcp", 80, 0, "host"),))
    source.found = replace(source.found, services=(dynamic, *rest))
    assert requests.get(f"{url}api/discovery", timeout=SECONDS).json()["endpoints"] == []
    known = source.found.tasks[0]
    source.ports = {known.id: replace(known, ports=(Port("tcp", 80, 32768, "host"),))}
    (found,) = requests.get(f"{url}api/discovery", timeout=SECONDS).json()["endpoints"]
    assert (found["task"], found["port"]) == (known.id, 32768)


@pytest.fixture
def balanced() -> tuple[World, Edition]:
    """A service with two targets, behind a load balancer."""
    world = World()
    tasks = [runs("auth", "wkr_1", 32768), runs("auth", "wkr_2", 32769, 2)]
    wanted = edition([http("auth", "/auth/*")], tasks)
    world.listener.publish(wanted)
    return world, wanted


def balancer(world: World, cluster: str = CLUSTER) -> Balancer:
    return Balancer(cluster, ElbApi(world.elb.client, lambda _: None), lambda: world.now)


def test_the_health_of_targets_is_as_the_load_balancer_has_it_some_seconds_later(
    balanced: tuple[World, Edition],
) -> None:
    world, wanted = balanced
    asked, routes = balancer(world), wanted.catalogue.routes
    (group,) = world.elb.groups.values()
    group.targets |= dict.fromkeys(group.targets, "healthy")
    assert asked.ask(routes).health == {"auth": {"healthy": 2}}
    (link,) = asked.ask(routes).urls["auth"]
    assert link.endswith("/auth/")
    group.targets |= {next(iter(group.targets)): "unhealthy"}
    assert asked.ask(routes).health == {"auth": {"healthy": 2}}, "asked again at once"
    world.now += 10
    assert asked.ask(routes).health == {"auth": {"healthy": 1, "unhealthy": 1}}


def test_without_a_cluster_or_routes_nothing_is_asked(balanced: tuple[World, Edition]) -> None:
    world, wanted = balanced
    before = world.elb.calls.total()
    assert balancer(world, "").ask(wanted.catalogue.routes) == Balanced()
    assert balancer(world).ask(()) == Balanced()
    assert world.elb.calls.total() == before


def test_findings_are_those_of_the_audit(url: str, source: Simulated) -> None:
    found = requests.get(f"{url}api/findings", timeout=SECONDS).json()
    assert [(check["name"], check["ok"]) for check in found["checks"]] == [
        ("managers", True), ("capacity", False), ("disk", None),
    ]  # fmt: skip
    assert found["as_of"] > 0


def test_an_audit_without_a_manager_is_an_error_in_words(url: str, source: Simulated) -> None:
    source.fault = "no manager answers"
    answer = requests.get(f"{url}api/findings", timeout=SECONDS)
    assert (answer.status_code, answer.json()["error"]) == (503, "no manager answers")


def test_viewers_share_an_audit_that_is_recent() -> None:
    now, audits = [0.0], []

    def checks() -> tuple[Check, ...]:
        audits.append(now[0])
        return ()

    findings = Findings(checks, lambda: now[0])
    for now[0] in (0.0, 1.0, AGAIN_S):
        findings.ask()
    assert audits == [0.0, AGAIN_S]


def test_a_large_swarm_is_read_less_often_but_never_too_rarely() -> None:
    """Broken: the page takes a core on a manager, or looks frozen because reading is slow."""
    assert pause(0.5, used=0.001) == 0.5
    assert pause(0.5, used=0.04) == pytest.approx(1.0)
    assert pause(0.5, used=10) == LONGEST_S
    assert pause(5.0, used=10) == 5.0


def test_an_old_reading_is_no_answer(source: Simulated, tmp_path: Path) -> None:
    """Broken: after an hour without viewers, silent managers' state of then is told as now's."""
    long_ago = Reading(source.found, time.time() - 3600, "10.0.0.0")
    poller: Any = SimpleNamespace(fresh=lambda _: long_ago)
    ask = answers(source, poller, Balancer(""), tmp_path)
    for path in ("/api/swarm", "/api/discovery"):
        with pytest.raises(SwarmctlError, match="no manager has answered for 3600 s"):
            ask[path](Query({}, {}))


@pytest.mark.parametrize("name", ["x" * 5000, "%2e%2e", "%00"])
def test_a_name_that_is_no_run_is_refused(url: str, name: str) -> None:
    answer = requests.get(f"{url}api/runs/{name}", timeout=SECONDS)
    assert answer.status_code in (400, 404)
