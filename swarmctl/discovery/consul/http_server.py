"""The Consul HTTP API on a socket: blocking queries, Consul's headers, metrics; read-only."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

from swarmctl.discovery.consul import api
from swarmctl.discovery.consul.blocking import BlockingQuery, read_blocking
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.loop import LoopThread

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
_CONNECTIONS = 2000
_END_S = 2
# Texts quote the request: a browser must not take them for a page.
_PLAIN_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class HttpListener:
    """Answers from the newest edition; a blocking query waits for one that is newer.

    Args:
        bound: a listening socket.
        identity: the datacentre and the agent's name.
        contact: when the managers were last heard.
        metrics: the text of ``/metrics``.
    """

    name = "consul"
    refresh_s: float | None = None

    def __init__(
        self,
        bound: socket.socket,
        identity: Identity,
        contact: Contact,
        metrics: Callable[[], str] = lambda: "",
    ) -> None:
        self._identity, self._contact, self._metrics = identity, contact, metrics
        self._edition: Edition | None = None
        self._loopback = ipaddress.ip_address(bound.getsockname()[0]).is_loopback
        self._changed = asyncio.Event()
        self.waiting = 0  # blocking queries under way
        app = Starlette(routes=[Route("/{path:path}", self._respond, methods=_METHODS)])
        self._server = Server(
            Config(
                app,
                log_config=None,
                lifespan="off",
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_END_S,
            )
        )
        self._loop = LoopThread("consul")
        self._served = self._loop.start(self._server.serve(sockets=[bound]))

    def publish(self, edition: Edition) -> None:
        """See :class:`swarmctl.discovery.listeners.listener.Listener`."""
        self._edition = edition
        self._loop.loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Stop answering; whoever waits gets the newest edition at once."""
        self._server.should_exit = True
        self._loop.loop.call_soon_threadsafe(self._wake)
        with suppress(TimeoutError):  # a client that does not read is cut off
            self._served.result(_END_S + 2.0)
        self._loop.close()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            headers = {"Allow": "GET, HEAD", **_PLAIN_TEXT}
            return Response("this catalogue is read-only", 405, headers)
        # A page in a browser can point a name of its own at loopback, and read what it answers.
        if self._loopback and not _is_local(request.headers.get("host", "")):
            text = "this address is served to 127.0.0.1, ::1 and localhost only"
            return Response(text, 403, _PLAIN_TEXT)
        path, query = request.url.path, _values(request)
        if path in ("/metrics", "/v1/agent/metrics"):
            return Response(self._metrics(), media_type="text/plain; version=0.0.4")
        try:
            blocking = read_blocking(query, random.random())  # noqa: S311  # spreads clients only
        except ValueError as fault:
            return Response(str(fault), 400, _PLAIN_TEXT)
        if blocking:
            await self._wait(blocking, request)
        edition = self._edition
        if edition is None:
            return Response("No cluster leader", 500, self._headers(None) | _PLAIN_TEXT)
        found = api.answer(edition, path, query, self._identity)
        headers = self._headers(edition)
        if found.json:
            text = json.dumps(found.body, indent=4 if "pretty" in query else None)
            return Response(text, found.status, headers, "application/json")
        return Response(found.body, found.status, headers | _PLAIN_TEXT)

    async def _wait(self, blocking: BlockingQuery, request: Request) -> None:
        """Wait for an edition after the one that the client has, but not for a client that left."""
        gone = asyncio.create_task(_disconnected(request))
        self.waiting += 1
        try:
            async with asyncio.timeout(blocking.seconds):
                while not gone.done() and not self._server.should_exit:
                    if self._edition is None or self._edition.index != blocking.index:
                        return
                    changed = asyncio.create_task(self._changed.wait())
                    await asyncio.wait({changed, gone}, return_when=asyncio.FIRST_COMPLETED)
                    changed.cancel()
        except TimeoutError:
            return
        finally:
            self.waiting -= 1
            gone.cancel()

    def _headers(self, edition: Edition | None) -> dict[str, str]:
        """Consul's; the time since the managers' last answer shows how old the catalogue may be."""
        return {
            "X-Consul-Index": str(edition.index if edition else 1),
            "X-Consul-KnownLeader": str(not self._contact.lost).lower(),
            "X-Consul-LastContact": str(round(self._contact.age * 1000)),
            "X-Consul-Default-Acl-Policy": "allow",
        }


def _values(request: Request) -> dict[str, Sequence[str]]:
    return {key: request.query_params.getlist(key) for key in request.query_params}


def _is_local(host: str) -> bool:
    """Whether a ``Host`` header names an address, or this machine: no page has such a name."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
