"""The agent on a load balancer's machine: what it asks of targets, and what it tells HAProxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from swarmctl.lab.balancer import haproxy
from swarmctl.lab.balancer.agent import probe
from swarmctl.lab.balancer.haproxy import HAProxy
from swarmctl.lab.balancer.health import Outcome

CHECK = {"path": "/health", "port": "traffic-port", "tls": False, "codes": "200", "timeout": 5}
WANTED = {
    "config": "backend web\n  # servers: web\n",
    "files": {},
    "groups": {"web": {"server": ""}},
}
SERVER = "web/i-1:80_10.42.1.4"


async def probed(answer: bytes | None, **check: Any) -> tuple[Outcome, bytes]:
    """A check of a target that gives an answer, or none; and the request that it got."""
    request = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal request
        request = await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
            writer.close()
        else:
            await reader.read()  # until the check gives up

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await probe("127.0.0.1", port, CHECK | check), request


def test_a_check_asks_for_the_path_and_looks_at_the_code() -> None:
    outcome, request = asyncio.run(probed(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert outcome.reason == ""
    assert request.startswith(b"GET /health HTTP/1.1\r\n")
    assert b"User-Agent: ELB-HealthChecker/2.0\r\n" in request


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Unavailable\r\n\r\n", "Target.ResponseCodeMismatch"),
        (b"", "Target.FailedHealthChecks"),
        (b"SSH-2.0-OpenSSH\r\n", "Target.FailedHealthChecks"),
        (None, "Target.Timeout"),
    ],
)
def test_each_way_to_fail_has_awss_reason(answer: bytes | None, reason: str) -> None:
    outcome, _ = asyncio.run(probed(answer, timeout=5 if answer is not None else 0.05))
    assert outcome.reason == reason


def test_a_closed_port_fails_the_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert asyncio.run(probe("127.0.0.1", port, CHECK)).reason == "Target.FailedHealthChecks"


class Site:
    """A HAProxy whose sockets answer what is set here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.asked, self.loads = list[str](), 0
        self.deletes, self.answer = True, ""
        monkeypatch.setattr(haproxy, "FOLDER", folder)
        monkeypatch.setattr(haproxy, "_ask", self.ask)
        monkeypatch.setattr(HAProxy, "_start", self.start)
        self.haproxy = HAProxy()

    async def ask(self, _: str, command: str) -> str:
        self.asked += command.split("; ")
        if command.startswith("del "):
            return "Server deleted." if self.deletes else "Server still has connections"
        return self.answer or "New server registered.\n\n" * command.count("add server")

    async def start(self) -> None:
        self.loads += 1

    def apply(
        self, ready: dict[str, bool], wanted: dict[str, Any] = WANTED
    ) -> tuple[bool, list[str]]:
        self.asked = []
        again: Awaitable[bool] = self.haproxy.apply(wanted, ready)
        return asyncio.run(_result(again)), self.asked


async def _result(awaited: Awaitable[bool]) -> bool:
    return await awaited


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    return Site(monkeypatch, tmp_path)


def test_a_new_target_gets_requests_only_once_it_is_healthy(site: Site) -> None:
    site.apply({})
    _, asked = site.apply({SERVER: False})
    assert asked == [f"add server {SERVER} 10.42.1.4:80 "]  # in maintenance, as HAProxy adds them
    assert site.apply({SERVER: True})[1] == [f"set server {SERVER} state ready"]
    assert site.apply({SERVER: True})[1] == []
    assert site.loads == 1


def test_a_target_that_leaves_is_cut_and_removed_as_soon_as_it_can_be(site: Site) -> None:
    site.apply({SERVER: True})
    site.deletes = False
    again, asked = site.apply({})
    assert again
    assert asked == [
        f"set server {SERVER} state maint",
        f"shutdown sessions server {SERVER}",
        f"del server {SERVER}",
    ]
    site.deletes = True
    assert site.apply({}) == (False, asked)
    assert site.apply({}) == (False, [])


def test_an_unexpected_answer_is_kept_for_a_report(site: Site) -> None:
    site.apply({})
    site.apply({SERVER: True})
    assert site.haproxy.unexpected == []
    site.answer = "No such server.\n\n"
    site.apply({SERVER: False})
    assert site.haproxy.unexpected == ["No such server."]


def test_what_haproxy_was_not_told_is_told_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a server that was never added is taken for one that gets requests."""
    site.apply({})

    async def silent(*_: object) -> str:
        raise TimeoutError

    monkeypatch.setattr(haproxy, "_ask", silent)
    with pytest.raises(TimeoutError):
        site.apply({SERVER: True})
    monkeypatch.setattr(haproxy, "_ask", site.ask)
    _, asked = site.apply({SERVER: True})
    assert asked == [f"add server {SERVER} 10.42.1.4:80 ", f"set server {SERVER} state ready"]


def test_a_refused_configuration_is_tried_once_and_targets_are_followed_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.apply({SERVER: False})

    async def refuse(*_: object) -> None:
        raise RuntimeError("unknown keyword")

    monkeypatch.setattr(HAProxy, "_load", refuse)
    other = WANTED | {
        "config": "nonsense",
        "groups": {"web": {"server": ""}, "new": {"server": ""}},
    }
    with pytest.raises(RuntimeError, match="unknown keyword"):
        site.apply({SERVER: True}, other)
    _, asked = site.apply({SERVER: True, "new/i-1:80_10.42.1.4": True}, other)
    assert asked == [f"set server {SERVER} state ready"]


def test_a_socket_that_takes_no_connection_yet_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(haproxy, "FOLDER", tmp_path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def asked_before_it_listens() -> str:
        answer = asyncio.create_task(haproxy._ask("master.sock", "reload"))
        await asyncio.sleep(0)  # it has tried
        async with await asyncio.start_unix_server(serve, tmp_path / "master.sock"):
            return await answer

    assert asyncio.run(asked_before_it_listens()) == "reload\n"
