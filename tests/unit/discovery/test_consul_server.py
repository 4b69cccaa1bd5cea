"""The Consul API on a real socket: blocking queries, headers, refusals, a clean end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import requests

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.consul.http_server import HttpListener
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.sockets import Place, listen_tcp
from swarmctl.discovery.metrics import metrics
from swarmctl.wait import wait_for
from tests.unit.discovery.shop import shop

FIRST = follow(None, catalogue(shop()), (), 1000)
SECOND = follow(FIRST, catalogue(shop(tasks=[])), (), 2000)


class Running:
    """A server, and requests to it."""

    def __init__(self) -> None:
        bound = listen_tcp(Place("127.0.0.1", 0), "--http")
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self.contact = Contact()
        self.listener = HttpListener(
            bound,
            Identity(),
            self.contact,
            lambda: metrics(FIRST, self.contact, {}, {"ec2.DescribeInstances": 3}),
        )

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=20)

    def waiting(self, path: str, answers: list[requests.Response]) -> threading.Thread:
        """A request in a thread, which has reached the server."""
        thread = threading.Thread(target=lambda: answers.append(self.get(path)))
        thread.start()
        wait_for(
            "the query to wait",
            lambda: (self.listener.waiting or None, f"{self.listener.waiting} wait"),
            timeout=10,
            interval=0.01,
        )
        return thread


@pytest.fixture
def server() -> Iterator[Running]:
    running = Running()
    yield running
    running.listener.close()


def publish(server: Running, edition: Edition) -> None:
    server.contact.heard()
    server.listener.publish(edition)


def test_before_the_first_edition_there_is_no_leader_and_no_empty_catalogue(
    server: Running,
) -> None:
    found = server.get("/v1/catalog/services")
    assert (found.status_code, found.text) == (500, "No cluster leader")


def test_an_answer_has_consuls_headers(server: Running) -> None:
    publish(server, FIRST)
    found = server.get("/v1/health/service/shop-web?passing&stale")
    assert found.headers["X-Consul-Index"] == "1000"
    assert found.headers["X-Consul-KnownLeader"] == "true"
    assert int(found.headers["X-Consul-LastContact"]) < 10_000
    assert found.headers["Content-Type"] == "application/json"
    assert len(found.json()) == 2
    server.contact.failed("gone")
    assert server.get("/v1/catalog/nodes").headers["X-Consul-KnownLeader"] == "false"


def test_a_blocking_query_is_answered_at_the_next_change(server: Running) -> None:
    publish(server, FIRST)
    answers: list[requests.Response] = []
    thread = server.waiting("/v1/health/service/shop-web?index=1000&wait=15s", answers)
    publish(server, SECOND)
    thread.join(10)
    assert answers[0].json() == []
    assert answers[0].headers["X-Consul-Index"] == "2000"


def test_a_blocking_query_without_a_change_ends_with_the_same_index(server: Running) -> None:
    publish(server, FIRST)
    found = server.get("/v1/catalog/services?index=1000&wait=50ms")
    assert found.headers["X-Consul-Index"] == "1000"
    assert "shop-web" in found.json()


def test_a_client_with_another_index_is_answered_at_once(server: Running) -> None:
    publish(server, FIRST)
    for index in (1, 999, 5000):
        began = time.monotonic()
        server.get(f"/v1/catalog/services?index={index}&wait=15s")
        assert time.monotonic() - began < 10


def test_a_client_that_left_is_not_waited_for(server: Running) -> None:
    publish(server, FIRST)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{server.url}/v1/catalog/services?index=1000&wait=10m", timeout=0.2)
    wait_for(
        "the query to be dropped",
        lambda: (not server.listener.waiting or None, "it waits"),
        timeout=10,
        interval=0.01,
    )


def test_writing_is_refused(server: Running) -> None:
    publish(server, FIRST)
    found = requests.put(f"{server.url}/v1/agent/service/register", json={}, timeout=20)
    assert found.status_code == 405
    assert "read-only" in found.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8500", "127.0.0.1.evil", ""])
def test_a_page_whose_name_points_at_loopback_reads_nothing(server: Running, host: str) -> None:
    publish(server, FIRST)
    found = requests.get(f"{server.url}/v1/catalog/nodes", headers={"Host": host}, timeout=20)
    assert found.status_code == 403
    assert "mgr" not in found.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:8500", "[::1]", "127.0.0.1"])
def test_local_names_are_served(server: Running, host: str) -> None:
    publish(server, FIRST)
    found = requests.get(f"{server.url}/v1/catalog/nodes", headers={"Host": host}, timeout=20)
    assert found.status_code == 200


@pytest.mark.parametrize("query", ["filter=<script>", "dc=<script>", "index=<script>"])
def test_a_browser_never_takes_an_error_for_a_page(server: Running, query: str) -> None:
    publish(server, FIRST)
    found = server.get(f"/v1/health/service/shop-web?{query}")
    assert found.status_code in (400, 500)
    assert found.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert found.headers["X-Content-Type-Options"] == "nosniff"


def test_the_metrics_are_prometheus_text(server: Running) -> None:
    found = server.get("/metrics")
    assert 'swarmctl_discovery_endpoints{name="shop-web"} 2' in found.text.splitlines()


def test_the_end_answers_who_waits_and_closes_the_port() -> None:
    server = Running()
    publish(server, FIRST)
    answers: list[requests.Response] = []
    thread = server.waiting("/v1/catalog/services?index=1000&wait=10m", answers)
    server.listener.close()
    thread.join(10)
    assert answers[0].status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):
        server.get("/v1/status/leader")
