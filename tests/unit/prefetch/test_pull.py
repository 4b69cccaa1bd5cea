"""Pulls on nodes: each node on its own, with a deadline, and the credentials in a header alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import requests
from requests.adapters import BaseAdapter

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.prefetch import pull as pulling
from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import Pulled, pull_all, pull_image
from swarmctl.swarm.ssh import Endpoint, ManagerError

IMAGE = "10.0.0.9:5000/api:1@sha256:" + "a" * 64
PULLED = [{"status": "Pulling from api"}, {"status": "Status: Downloaded newer image"}]


class Engine(BaseAdapter):
    """Answers a pull with events, and the question for the image with a status."""

    def __init__(self, events: list[Any], *, refused: str = "", present: bool = True) -> None:
        super().__init__()
        self.events, self.refused, self.present = events, refused, present
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        answer = requests.Response()
        answer._content_consumed = True  # type: ignore[attr-defined] # nothing is left to read
        if request.method == "GET":
            answer.status_code = 200 if self.present else 404
            answer._content = b'{"message": "no such image"}'
        elif self.refused:
            answer.status_code = 500
            answer._content = json.dumps({"message": self.refused}).encode()
        else:
            answer.status_code = 200
            answer._content = "\n".join(map(json.dumps, self.events)).encode()
        return answer

    def close(self) -> None: ...


def session(engine: BaseAdapter) -> requests.Session:
    made = requests.Session()
    made.mount("http+docker://ssh", engine)
    return made


def test_the_image_is_pulled_by_its_whole_name_with_the_credentials_in_a_header() -> None:
    engine = Engine(PULLED)
    pull_image(session(engine), IMAGE, "c2VjcmV0", 5)
    create, check = engine.requests
    assert create.headers["X-Registry-Auth"] == "c2VjcmV0"
    assert "c2VjcmV0" not in str(create.url)
    assert create.path_url == "/images/create?fromImage=" + quote(IMAGE, safe="")
    assert check.path_url == f"/images/{IMAGE}/json"


def test_a_name_without_a_tag_is_not_pulled_with_all_its_tags() -> None:
    engine = Engine(PULLED)
    pull_image(session(engine), "httpd", "", 5)
    assert engine.requests[0].path_url.endswith("fromImage=httpd%3Alatest")
    assert "X-Registry-Auth" not in engine.requests[0].headers


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (Engine([*PULLED, {"error": "unauthorized:\n no  token"}]), "unauthorized: no token"),
        (Engine([], refused="pull access denied"), "pull access denied"),
        (Engine(PULLED, present=False), "the Engine does not have it: no such image"),
    ],
)
def test_a_pull_fails_with_what_the_engine_says(engine: Engine, said: str) -> None:
    with pytest.raises(SwarmctlError, match=said):
        pull_image(session(engine), IMAGE, "", 5)


class Broken(Engine):
    def send(self, *_: Any, **__: Any) -> requests.Response:
        raise requests.exceptions.ConnectionError("cut")


def test_a_pull_that_is_cut_off_by_its_deadline_is_told_from_a_broken_connection() -> None:
    with pytest.raises(SwarmctlError, match="the connection broke: cut"):
        pull_image(session(Broken([])), IMAGE, "", 5)
    with pytest.raises(DeadlineExceededError, match="not pulled within 0 s; last seen: nothing"):
        pull_image(session(Broken([])), IMAGE, "", 0)


def test_a_node_that_cannot_be_reached_is_named_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines = {"10.0.0.1": Engine(PULLED), "10.0.0.2": Engine(PULLED)}

    @contextmanager
    def connected(endpoint: Endpoint, _: float) -> Iterator[requests.Session]:
        if endpoint.address not in engines:
            raise ManagerError(f"{endpoint}: no answer")
        with session(engines[endpoint.address]) as made:
            yield made

    monkeypatch.setattr(pulling, "_engine", connected)
    asked: list[str] = []

    def credentials(image: str) -> str:
        asked.append(image)
        return "c2VjcmV0"

    wanted = [Pull(node, IMAGE, ("api",)) for node in ("wkr1", "wkr2", "wkr3", "wkr4")]
    endpoints = {f"wkr{n}": Endpoint(f"10.0.0.{n}", "admin", name=f"wkr{n}") for n in (1, 2, 3)}
    noted: list[Pulled] = []
    done = pull_all(wanted, endpoints, credentials, timeout_s=5, note=noted.append)
    assert {d.pull.node: d.fault for d in done} == {
        "wkr1": "",
        "wkr2": "",
        "wkr3": "wkr3 (admin@10.0.0.3:22): no answer",
        "wkr4": "EC2 lists no running instance of this name",
    }
    assert sorted(noted, key=lambda d: d.pull.node) == done
    assert asked == [IMAGE]  # once, not once for each node
    assert pull_all([], endpoints, credentials) == []


class Hanging(Engine):
    """Answers nothing until its connection is closed."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked, self.closed = threading.Event(), threading.Event()

    def send(self, *_: Any, **__: Any) -> requests.Response:
        self.asked.set()
        assert self.closed.wait(20)
        raise requests.exceptions.ConnectionError("closed")

    def close(self) -> None:
        self.closed.set()


def test_an_interrupt_ends_the_pulls_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Hanging()
    engines: dict[str, Engine] = {"10.0.0.1": Engine(PULLED), "10.0.0.2": hanging}

    @contextmanager
    def connected(endpoint: Endpoint, _: float) -> Iterator[requests.Session]:
        with session(engines[endpoint.address]) as made:
            yield made

    def interrupt(_: Pulled) -> None:
        if not hanging.closed.is_set():
            assert hanging.asked.wait(20)
            raise KeyboardInterrupt

    monkeypatch.setattr(pulling, "_engine", connected)
    endpoints = {f"wkr{n}": Endpoint(f"10.0.0.{n}", "admin") for n in (1, 2)}
    wanted = [Pull(node, IMAGE, ("api",)) for node in endpoints]
    with pytest.raises(KeyboardInterrupt):
        pull_all(wanted, endpoints, lambda _: "", timeout_s=60, note=interrupt)
    assert hanging.closed.is_set()
