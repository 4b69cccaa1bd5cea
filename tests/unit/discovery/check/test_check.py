"""``discovery check``: which disagreements are named, and which are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from dns.message import from_text

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.check import check
from swarmctl.discovery.check.compare import Disagreement, compare
from swarmctl.discovery.check.consul_api import ConsulApi
from swarmctl.discovery.check.dns import Dns
from swarmctl.discovery.check.request import ask_endpoints
from swarmctl.discovery.check.source import Published
from swarmctl.discovery.consul.dns_server import DnsListener
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.edition import follow
from swarmctl.discovery.listeners.sockets import Place, listen_dns, listen_tcp, parse_place
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.http import Answer, Failure
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import NODES, labelled, port, shop
from tests.unit.engine_json import node, task

WEB1, WEB2 = "10.42.0.5:32768", "10.42.0.6:32768"
BOTH = {"shop-web": frozenset({WEB1, WEB2})}
WELL = {place: Answer(0.01, 200, None, "HTTP 200") for place in (WEB1, WEB2)}
NOWHERE = Place("127.0.0.1", 1)


def differences(
    swarm: Swarm, *published: Published, answers: dict[str, Answer] | None = None
) -> list[tuple[str, str, str]]:
    found = compare(swarm, catalogue(swarm), published, WELL if answers is None else answers)
    return [(d.source, d.place, d.text) for d in found]


def test_sources_that_name_what_serves_agree() -> None:
    assert differences(shop(), Published("Consul API", BOTH), Published("DNS", BOTH)) == []


def test_an_endpoint_that_is_not_named_is_a_disagreement_since_it_serves() -> None:
    given = shop()
    partly = Published("DNS", {"shop-web": frozenset({WEB1})})
    (found,) = compare(given, catalogue(given), (partly,), WELL)
    expected = Disagreement("DNS", "shop-web", WEB2, "serves, but is not named")
    assert (found, found.since) == (expected, "2026-01-31T12:00:01Z")


def test_a_stale_endpoint_is_named_with_the_reason() -> None:
    down = node("wkr_2", addr="10.42.0.6", state="down")
    given = shop(nodes=[NODES[0], NODES[1], down], tasks=[])
    stale = {"shop-web": frozenset({WEB1, WEB2, "10.9.9.9:80"})}
    assert differences(given, Published("DNS", stale)) == [
        ("DNS", WEB1, "is named, but nothing serves there (node wkr_1 is ready)"),
        ("DNS", WEB2, "is named, but its node wkr_2 is down"),
        ("DNS", "10.9.9.9:80", "is named, but no node has this address"),
    ]


def test_a_source_that_cannot_be_asked_is_one_disagreement_and_not_one_for_each_endpoint() -> None:
    assert differences(shop(), Published("DNS", fault="gone")) == [("DNS", "", "gone")]


def test_an_endpoint_that_does_not_answer_a_request_is_a_disagreement() -> None:
    answers = {
        WEB1: Answer(3, None, Failure.LATE, "no answer within 3 s"),
        WEB2: Answer(0.1, 503, None, "HTTP 503"),
    }
    texts = [text for _, _, text in differences(shop(), answers=answers)]
    assert texts == [
        "serves, but a request for / failed: no answer within 3 s",
        "serves, but a request for / failed: HTTP 503",
    ]
    other = {WEB1: Answer(0.1, None, Failure.NOT_HTTP, "not HTTP"), WEB2: WELL[WEB2]}
    assert differences(shop(), answers=other) == []  # a database accepts, and speaks no HTTP


def test_what_cannot_be_published_is_a_disagreement() -> None:
    given = shop(labelled("shop_bad", [port(80, 81)], name="no good"))
    ((source, _, text),) = differences(given, Published("DNS", BOTH))
    assert source == "Swarm"
    assert "no DNS label" in text


@pytest.fixture
def dns() -> Iterator[DnsListener]:
    listener = DnsListener(listen_dns(Place("127.0.0.1", 0), "--dns"), Identity())
    yield listener
    listener.close()


@pytest.mark.parametrize("replicas", [2, 150])
def test_dns_is_read_with_all_replicas_however_large_the_answer(
    dns: DnsListener, replicas: int
) -> None:
    tasks = [task("shop_web", "wkr_1", n + 1, ports=[port(80, 32768 + n)]) for n in range(replicas)]
    dns.publish(follow(None, catalogue(shop(tasks=tasks)), (), 1))
    found = Dns(Place("127.0.0.1", dns.port), "consul").ask(["shop-web", "nosuch"])
    assert found.fault == ""
    assert found.places["nosuch"] == frozenset()
    assert found.places["shop-web"] == {f"10.42.0.5:{32768 + n}" for n in range(replicas)}


def test_an_agent_without_a_snapshot_or_without_a_port_is_a_fault_in_words(
    dns: DnsListener,
) -> None:
    assert "SERVFAIL" in Dns(Place("127.0.0.1", dns.port), "consul").ask(["x"]).fault
    assert "does `swarmctl discovery run` run there?" in ConsulApi(NOWHERE).ask([]).fault


def test_only_what_two_readings_have_in_common_counts(dns: DnsListener) -> None:
    """Broken: every rollout under way makes a check fail."""
    tasks = [task("shop_web", "wkr_1", 1, id="t", ports=[port(80, 32768)])]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        dns.publish(follow(None, catalogue(shop(tasks=tasks)), (), 1))

    dns.publish(follow(None, catalogue(shop(tasks=[])), (), 1))
    sources = ConsulApi(NOWHERE), Dns(Place("127.0.0.1", dns.port), "consul")
    nodes = [NODES[0], node("wkr_1", addr="127.0.0.1")]
    empty = shop(tasks=[], nodes=nodes)
    found = check(lambda: empty, sources, 2, pause)
    assert pauses == [2]
    assert [d.source for d in found.disagreements] == ["Consul API"]


def test_a_check_that_finds_nothing_to_compare_does_not_agree() -> None:
    """Broken: the only agent is dead, and the check passes because it is left out."""
    found = check(lambda: shop(tasks=[]), [], 0, lambda _: None)
    assert [d.text for d in found.disagreements] == [
        "nothing that names endpoints was found: no agent, namespace or load balancer"
    ]


class Lost(BaseHTTPRequestHandler):
    """An agent that no manager has answered for ever longer, and that a proxy has spoilt."""

    ages: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # the library's name
        self.send_response(200)
        self.send_header("X-Consul-KnownLeader", "false")
        self.send_header("X-Consul-LastContact", self.ages.pop(0))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words: object) -> None:
        """Quiet."""


def test_an_agent_that_has_lost_all_managers_is_a_disagreement_however_long_ago() -> None:
    """Broken: the text changes with each second, so no two readings have it in common."""
    Lost.ages[:] = ["1000", "3000", "soon"]
    with HTTPServer(("127.0.0.1", 0), Lost) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        api = ConsulApi(Place("127.0.0.1", server.server_port))
        found = check(lambda: shop(tasks=[]), [api], 0, lambda _: None)
        api.ask([])  # an age that is no number
        server.shutdown()
    (lost,) = found.disagreements
    assert lost.text == "no manager answers it: it serves what was known last"


def test_an_additional_record_that_is_no_address_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = from_text(
        "id 1\nflags QR\n;QUESTION\nweb.service.consul. IN SRV\n"
        ";ANSWER\nweb.service.consul. 0 IN SRV 1 1 80 a.consul.\n"
        ';ADDITIONAL\na.consul. 0 IN TXT "zone=1"\na.consul. 0 IN A 10.42.0.5\n'
    )
    monkeypatch.setattr("dns.query.udp_with_fallback", lambda *_: (answer, False))
    found = Dns(NOWHERE, "consul").ask(["web"])
    assert found.places == {"web": {"10.42.0.5:80"}}


class Paths(BaseHTTPRequestHandler):
    """Answers every path and remembers it."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:  # the library's name
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Quiet."""


def test_each_tcp_endpoint_is_asked_for_its_probe_path() -> None:
    with HTTPServer(("127.0.0.1", 0), Paths) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        web = labelled("shop_site", [port(80, server.server_port)])
        web["Spec"]["Labels"]["swarmctl.probe.path"] = "/healthz"
        given = shop(
            web,
            nodes=[node("wkr_1", addr="127.0.0.1")],
            tasks=[task("shop_site", "wkr_1", 1)],
        )
        (answer,) = ask_endpoints(catalogue(given).endpoints).values()
    assert answer.status == 200
    assert Paths.asked == ["/healthz"]


def test_a_place_is_an_address_and_a_port() -> None:
    assert str(parse_place("127.0.0.1:8500", "--http")) == "127.0.0.1:8500"
    assert str(parse_place("[::1]:53", "--dns")) == "[::1]:53"
    for text in ("8500", "localhost:80", "127.0.0.1:", "127.0.0.1:99999", "1.2.3:4"):
        with pytest.raises(UsageError, match="--http"):
            parse_place(text, "--http")


def test_a_port_that_is_taken_is_named_with_the_option_to_change() -> None:
    taken = listen_tcp(Place("127.0.0.1", 0), "--http")
    place = Place("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(SwarmctlError, match=r"cannot listen on 127\.0\.0\.1") as caught:
        listen_tcp(place, "--http")
    assert "--http ADDRESS:PORT" in caught.value.hint
    taken.close()
