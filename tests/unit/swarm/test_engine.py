"""Requests to the Engine API: what arrives, what is sent again, and changes of a spec."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from swarmctl.swarm.connect import Failover
from swarmctl.swarm.engine import (
    EngineError,
    ForwardingEngine,
    SwarmEngine,
    change_node,
    change_service,
    delete,
)
from swarmctl.swarm.ssh import Endpoint, ManagerError
from tests.unit.engine_fake import FakeEngine, service_spec

HANGS_UP, SILENT = 0, 1  # instead of a status
CLEAN = {"/version": {"ApiVersion": "1.45"}, "/swarm": {"ID": "the-swarm"}}


class Request(NamedTuple):
    """What arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    auth: str | None


class Manager(socketserver.ThreadingUnixStreamServer):
    """An Engine at a socket of this machine."""

    daemon_threads = True

    def __init__(self, place: Path) -> None:
        super().__init__(str(place), Handler)
        self.endpoint = Endpoint(f"unix://{place}")
        self.seen: list[Request] = []
        self.answers: list[tuple[int, bytes]] = []
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """Gives the answers in their order, and 200 after them."""

    server: Manager

    def answer(self) -> None:
        url = urlsplit(self.path)
        path = "/" + url.path.removeprefix("/v1.45").lstrip("/")
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path in CLEAN:
            self.reply(200, json.dumps(CLEAN[path]).encode())
            return
        query, body = dict(parse_qsl(url.query)), json.loads(sent) if sent else None
        auth = self.headers.get("X-Registry-Auth")
        self.server.seen.append(Request(self.command, path, query, body, auth))
        self.reply(*(self.server.answers.pop(0) if self.server.answers else (200, b"")))

    do_GET = do_POST = do_DELETE = answer  # noqa: N815  # the names that http.server calls

    def reply(self, status: int, body: bytes) -> None:
        if status in (HANGS_UP, SILENT):
            if status == SILENT:
                self.server.ended.wait(5)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the client has read enough
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def managers(tmp_path: Path) -> Iterator[tuple[Manager, Manager]]:
    one, two = Manager(tmp_path / "1.sock"), Manager(tmp_path / "2.sock")
    yield one, two
    for each in (one, two):
        each.ended.set()
        each.shutdown()
        each.server_close()


@pytest.fixture
def engine(managers: tuple[Manager, Manager]) -> Iterator[SwarmEngine]:
    with closing(Failover([each.endpoint for each in managers])) as failover:
        yield SwarmEngine(failover)


def test_what_is_asked_arrives_with_its_filters(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    managers[0].answers = [(200, b'[{"ID": "c1"}]'), (200, b"{}")]
    assert engine.get("/configs", name=["lock"]) == [{"ID": "c1"}]
    assert engine.get("/info") == {}
    assert managers[0].seen == [
        Request("GET", "/configs", {"filters": '{"name": ["lock"]}'}, None, None),
        Request("GET", "/info", {}, None, None),
    ]


def test_what_is_sent_arrives_with_body_query_and_credentials(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    managers[0].answers = [(201, b'{"ID": "s1"}')]
    body, query = {"Name": "web"}, {"version": "7"}
    assert engine.send("POST", "/services/x", body, params=query, auth="secret") == {"ID": "s1"}
    assert engine.send("DELETE", "/services/x") is None
    assert managers[0].seen == [
        Request("POST", "/services/x", query, body, "secret"),
        Request("DELETE", "/services/x", {}, None, None),
    ]


def test_a_refusal_has_its_status_and_one_line(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    managers[0].answers = [(409, b'{"message": "name\\n  is taken"}')]
    with pytest.raises(EngineError, match=r"^name is taken$") as caught:
        engine.send("POST", "/configs/create", {})
    assert (caught.value.status, caught.value.repeated) == (409, False)
    assert managers[1].seen == []


def test_a_change_without_an_answer_is_not_sent_again(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    """Broken: what the first manager made before it fell silent is made twice."""
    managers[0].answers = [(HANGS_UP, b"")]
    with pytest.raises(ManagerError, match=r"1\.sock"):
        engine.send("POST", "/services/create", {})
    assert [len(each.seen) for each in managers] == [1, 0]


def test_what_is_safe_to_repeat_is_sent_to_the_next_manager(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    managers[0].answers = [(HANGS_UP, b"")]
    assert engine.send("DELETE", "/configs/c1", repeat=True) is None
    assert [[r.method for r in each.seen] for each in managers] == [["DELETE"], ["DELETE"]]


def test_a_silent_manager_is_not_waited_for_for_ever(
    managers: tuple[Manager, Manager], engine: SwarmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmctl.swarm.engine.REQUEST_TIMEOUT", 0.2)
    managers[0].answers = [(SILENT, b"")]
    assert engine.send("DELETE", "/configs/c1", repeat=True) is None
    assert len(managers[1].seen) == 1


def test_a_long_answer_is_read_up_to_its_limit(
    managers: tuple[Manager, Manager], engine: SwarmEngine
) -> None:
    managers[0].answers = [(200, b"last words"), (200, b"")]
    assert engine.text("/services/x/logs", {"tail": "5"}, 4) == b"last"
    assert engine.text("/services/x/logs", {}, 4) == b""
    assert managers[0].seen[0] == Request("GET", "/services/x/logs", {"tail": "5"}, None, None)


# --- changes of a spec ---


class Busy(FakeEngine):
    """Another client is faster than us a number of times."""

    faster = 0

    def get(self, path: str, **filters: list[str]) -> Any:
        found = super().get(path, **filters)
        if self.faster:
            self.faster -= 1
            self.store["services"][path.rpartition("/")[2]]["Version"]["Index"] += 1
        return found


def renamed(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "Name": "new"}


def test_a_spec_is_read_again_when_another_client_was_faster() -> None:
    fake = Busy()
    web = fake.add("services", service_spec("web"))
    fake.faster = 4
    assert change_service(fake, web, renamed) is True
    assert fake.sent[1:] == [f"POST /services/{web}/update"] * 5
    assert fake.names("services") == ["new"]


def test_clients_that_are_always_faster_end_it() -> None:
    fake = Busy()
    web = fake.add("services", service_spec("web"))
    fake.faster = 9
    with pytest.raises(EngineError, match="out of sequence"):
        change_service(fake, web, renamed)
    assert len(fake.sent[1:]) == 5


def test_what_is_as_it_should_be_is_not_sent_and_another_refusal_is_not_tried_again() -> None:
    fake = Busy()
    web = fake.add("services", service_spec("web"))
    assert change_service(fake, web, lambda spec: spec) is False
    assert fake.sent[1:] == []
    fake.refuse = {"POST /services": "no such network"}
    with pytest.raises(EngineError, match="no such network"):
        change_service(fake, web, renamed)
    assert len(fake.sent[1:]) == 1


def test_a_nodes_spec_is_changed_at_the_node() -> None:
    fake = FakeEngine()
    fake.store["nodes"] = {"n1": {"ID": "n1", "Version": {"Index": 3}, "Spec": {"Name": "old"}}}
    assert change_node(fake, "n1", renamed) is True
    assert fake.store["nodes"]["n1"]["Spec"] == {"Name": "new"}


def test_removing_what_is_gone_is_no_error_and_is_safe_to_repeat() -> None:
    fake, repeats = FakeEngine(), list[bool]()

    class Recorded(ForwardingEngine):
        def forward(self, request: Any) -> Any:
            return request(fake)

        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            repeats.append(options["repeat"])
            return super().send(method, path, body, **options)

    delete(Recorded(), "/services/gone")
    assert repeats == [True]
    assert fake.sent == ["DELETE /services/gone"]
    fake.refuse = {"DELETE": "in use"}
    with pytest.raises(EngineError, match="in use"):
        delete(Recorded(), "/services/gone")


def test_a_forwarding_engine_passes_everything_on() -> None:
    class Asked(FakeEngine):
        def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
            return f"{path} {params['tail']} {limit}".encode()

    fake = Asked()
    fake.add("services", service_spec("web"))

    class Plain(ForwardingEngine):
        def forward(self, request: Any) -> Any:
            return request(fake)

    engine = Plain()
    assert engine.snapshot() == fake.snapshot()
    assert engine.get("/services", name=["none"]) == []
    assert engine.send("POST", "/configs/create", {"Name": "c"}, auth="secret")["ID"]
    assert (fake.sent[-1], fake.auths[-1]) == ("POST /configs/create", "secret")
    assert engine.text("/x", {"tail": "5"}, 99) == b"/x 5 99"
