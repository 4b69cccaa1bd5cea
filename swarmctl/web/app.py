"""The page's addresses. Only GET; see :mod:`swarmctl.web.guard`.

======================  ============================================================
``/``                   the page; its files are under ``/static``
``/api/swarm``          what ``swarmctl status --format json`` prints
``/api/events``         server-sent events: a snapshot, then differences
``/api/discovery``      as ``discovery list --format json``, with the health of targets
``/api/findings``       as ``audit --format json``; at most every 10 s anew
``/api/predict``        ``?lose=NODE&lose=…`` or ``?az=ZONE``: as ``chaos predict``
``/api/each``           as ``chaos predict --each``
``/api/runs``, ``/ID``  the runs of ``swarmctl chaos``, and one of them
``/health``             200 while the process lives
======================  ============================================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.web import palette
from swarmctl.web.feed import Feed
from swarmctl.web.guard import Guard

STATIC = Path(__file__).parent / "static"


# Answers one address: called in a thread with the query and the path's parts, as one mapping.
Ask = Callable[["Query"], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for.

    Attributes:
        values: of the query, by name.
        path: the variable parts of the path, by name.
    """

    values: Mapping[str, list[str]]
    path: Mapping[str, str]

    def first(self, name: str) -> str | None:
        """The first value of that name."""
        return next(iter(self.values.get(name, ())), None)


def make_app(
    feed: Feed,
    answers: Mapping[str, Ask],
    seen: Callable[[], None],
    *,
    password: str,
    loopback: bool,
) -> ASGIApp:
    """The application.

    Args:
        feed: of changes.
        answers: to everything else, by path. Each may take a second, and raises ``SwarmctlError``.
        seen: called when a viewer comes.
        password: ``""`` for none.
        loopback: whether only this machine can connect.
    """

    async def events(request: Request) -> Response:
        seen()
        stream = feed.stream(request.headers.get("last-event-id", ""))
        return StreamingResponse(stream, media_type="text/event-stream")

    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/palette.css", _colours),
            Route("/health", _health),
            Route("/api/events", events),
            *(Route(path, _answering(ask)) for path, ask in answers.items()),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )
    return Guard(app, password=password, loopback=loopback)


async def _index(_: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _colours(_: Request) -> Response:
    return Response(palette.stylesheet(), media_type="text/css")


async def _health(_: Request) -> Response:
    return Response("ok", media_type="text/plain")


def _answering(ask: Ask) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        values = {name: request.query_params.getlist(name) for name in request.query_params}
        try:
            body = await run_in_threadpool(ask, Query(values, request.path_params))
        except SwarmctlError as fault:
            status = 400 if isinstance(fault, UsageError) else 503
            return JSONResponse({"error": fault.message, "hint": fault.hint}, status)
        return JSONResponse(body)

    return answer
