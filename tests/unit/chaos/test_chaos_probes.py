"""What counts as a lost probe, and where probes go."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from swarmctl.chaos.probes import http as probes
from swarmctl.chaos.probes.http import HttpProber, Places, longest_outage, probe
from swarmctl.chaos.world.protocols import Endpoint, Machine, Probe
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Port, Swarm
from tests.unit.chaos.chaos_fakes import Box, address_of, service, stage, task, workers

MESH = Port("tcp", 80, 8080, "ingress")
HOST = Port("tcp", 80, 0, "host")


def given_out(number: int) -> tuple[Port, ...]:
    return (Port("tcp", 80, number, "host"),)


def test_a_mesh_port_is_asked_on_every_node_that_is_left() -> None:
    web = service("web", 1, ports=(MESH,))
    swarm = Swarm(tuple(workers(3)), (web,), (task("web", 1, "wkr1"),))
    places = Places([web], {}, {"id-wkr2"}).at(swarm)["web"]
    assert [(p.node, p.url) for p in places] == [
        ("mgr1", "http://10.42.1.11:8080/"),
        ("wkr1", "http://10.42.2.11:8080/"),
        ("wkr3", "http://10.42.2.13:8080/"),
    ]


def test_a_host_port_is_asked_where_a_task_serves_under_the_number_given_out() -> None:
    web = service("web", 3, ports=(HOST,))
    tasks = (
        task("web", 1, "wkr1", ports=given_out(32768)),
        task("web", 2, "wkr1", ports=given_out(32769)),
        task("web", 3, "wkr2", ports=given_out(32768)),
        task("web", 4, "wkr3", state="starting", ports=given_out(32770)),
    )
    swarm = Swarm(tuple(workers(3)), (web,), tasks)
    places = Places([web], {}, {"id-wkr2"}).at(swarm)["web"]
    assert [(p.node, p.port) for p in places] == [("wkr1", 32768), ("wkr1", 32769)]


def test_host_ports_the_managers_forget_are_remembered() -> None:
    """After a change of leader the tasks' records lack their ports; the containers still listen."""
    web = service("web", 1, ports=(HOST,))
    known = task("web", 1, "wkr1", ports=given_out(32768))
    places = Places([web], {}, ())
    before = Swarm(tuple(workers(1)), (web,), (known,))
    in_doubt = tuple(replace(n, state="unknown") for n in workers(1))
    after = Swarm(in_doubt, (web,), (replace(known, ports=()),))
    assert places.at(before) == places.at(after)
    assert [p.port for p in places.at(after)["web"]] == [32768]
    assert places.forgotten(replace(after, nodes=before.nodes)) == ()
    assert Places([web], {}, ()).forgotten(replace(after, nodes=before.nodes)) == ("web",)


def test_ports_the_managers_forgot_are_asked_of_the_nodes(tmp_path: Path) -> None:
    """Broken: after every change of leader no experiment can be run."""
    web = service("web", 2, ports=(HOST,))
    s = stage(tmp_path, services=[web])
    s.lab.answers["docker inspect"] = lambda: (
        'web.1.old {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}],"443/tcp":null}\n'
        if s.lab.log[-1].startswith("wkr1")
        else ""
    )
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert {p.endpoints for p in journal.probes} == {("wkr1 http://10.42.2.11:32768/",)}


def test_a_label_says_which_path_is_worth_asking() -> None:
    """A static page answers though everything behind it is gone."""
    web = service("web", 1, ports=(MESH,), labels={"swarmctl.probe.path": "/api/"})
    swarm = Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),))
    places = Places([web], {}, {"id-mgr1"}).at(swarm)["web"]
    assert [p.url for p in places] == ["http://10.42.2.11:8080/api/"]


def test_the_public_address_is_asked_where_there_is_one() -> None:
    class Public(Box):
        @property
        def address(self) -> str:
            return "198.51.100.7"

    web = service("web", 1, ports=(MESH,))
    machines: dict[str, Machine] = {"wkr1": Public("i-1", "wkr1", "running", address_of("wkr1"))}
    swarm = Swarm(tuple(workers(1)), (web,), (task("web", 1, "wkr1"),))
    places = Places([web], machines, {"id-mgr1"}).at(swarm)["web"]
    assert [p.host for p in places] == ["198.51.100.7"]


def test_published_services_of_stacks_are_probed_unless_told_otherwise() -> None:
    web, db, own = (
        service("web", 1, ports=(MESH,)),
        service("db", 1),
        service("own", 1, ports=(MESH,), labels={}),
    )
    swarm = Swarm((), (db, own, web), ())
    assert probes.published(swarm, None) == (web,)
    assert probes.published(swarm, "own") == (own,)
    assert probes.published(swarm, "none") == ()
    with pytest.raises(UsageError, match="service db publishes no TCP port"):
        probes.published(swarm, "db")
    with pytest.raises(UsageError, match="unknown service 'wep'"):
        probes.published(swarm, "wep")


# -- one probe ------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """Answers with the status the server was given."""

    def do_GET(self) -> None:
        self.send_response(getattr(self.server, "status"))  # noqa: B009  set in the test
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def web_server(status: int) -> Iterator[Endpoint]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status = status  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Endpoint("web", "wkr1", "127.0.0.1", server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def listener(answer: bytes | None) -> Iterator[Endpoint]:
    """Accepts one connection and sends this; with ``None`` it never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                if answer is None:
                    done.wait(5)
                else:
                    connection.sendall(answer)

        done = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint("web", "wkr1", "127.0.0.1", server.getsockname()[1])
        done.set()
        thread.join()


@pytest.mark.parametrize(("status", "ok"), [(200, True), (404, True), (500, False), (503, False)])
def test_a_status_of_500_or_more_is_a_loss(status: int, ok: bool) -> None:
    with web_server(status) as endpoint:
        result = probe(endpoint, time.monotonic)
    assert (result.ok, result.detail, result.heard) == (ok, f"HTTP {status}", "http")


def test_a_refused_connection_is_a_loss() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = probe(Endpoint("web", "wkr1", "127.0.0.1", port), time.monotonic)
    assert (result.ok, result.detail, result.heard) == (False, "connection refused", "")


def test_silence_is_a_loss_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TIMEOUT_S", 0.2)
    with listener(None) as endpoint:
        result = probe(endpoint, time.monotonic)
    assert (result.ok, result.detail) == (False, "no answer within 0.2 s")
    assert result.latency_s < 1


@pytest.mark.parametrize("answer", [b"", b"E\x00\x00\x00\x10not http\r\n"])
def test_something_else_than_http_is_told_apart(answer: bytes) -> None:
    with listener(answer) as endpoint:
        result = probe(endpoint, time.monotonic)
    assert (result.ok, result.heard) == (False, "other")


def test_ten_probes_a_second_go_round_all_places() -> None:
    with web_server(200) as one, web_server(200) as two:
        prober = HttpProber(time.monotonic)
        prober.aim({"web": [one, two]})
        time.sleep(0.55)  # the rate is what is tested
        prober.close()
    done = prober.results()
    assert 5 <= len(done) <= 7
    assert {p.endpoint for p in done} == {one, two}


# -- counting -------------------------------------------------------------------------------------


def series(*marks: str) -> list[Probe]:
    where = Endpoint("web", "wkr1", "10.0.0.1", 80)
    return [Probe(i / 10, where, mark == "o", 0.05, "") for i, mark in enumerate("".join(marks))]


@pytest.mark.parametrize(
    ("marks", "seconds"),
    [("ooooo", 0.0), ("oxxxo", 0.3), ("oxoxxo", 0.2), ("oxx", 0.15), ("xo", 0.1), ("", 0.0)],
)
def test_the_longest_outage_lasts_from_the_first_loss_to_the_next_answer(
    marks: str, seconds: float
) -> None:
    assert longest_outage(series(marks)) == pytest.approx(seconds)


def test_an_outage_at_one_place_of_many_is_counted_as_losses() -> None:
    summary = probes.summaries(series("oxoxoxoo"))[0]
    assert (summary.sent, summary.lost, summary.longest_outage_s) == (8, 3, 0.1)
