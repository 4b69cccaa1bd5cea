"""Puts the page together: socket, reader, server; and takes it down in order."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from swarmctl.discovery.listeners.loop import LoopThread
from swarmctl.discovery.listeners.sockets import Place, listen_tcp
from swarmctl.errors import UsageError, require_extra
from swarmctl.swarm.observe.events import SwarmEvents
from swarmctl.web.source import Source, WebSource

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.web.feed import Feed
    from swarmctl.web.poller import Poller

_END_S = 2.0
# How often a viewer learns that nothing has changed.
_BEAT_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What ``swarmctl web`` was told.

    Attributes:
        place: where the page is served.
        password: ``""`` for none.
        interval: seconds between two snapshots.
        runs: the directory of ``swarmctl chaos``.
        cluster: whose load balancer; ``""`` for none.
    """

    place: Place
    password: str
    interval: float
    runs: Path
    cluster: str = ""


def check(place: Place, password: str) -> None:
    """Refuse to show the Swarm to everybody.

    Raises:
        UsageError: others than this machine can connect, and there is no password.
    """
    if not place.loopback and not password:
        raise UsageError(
            f"{place}: others can reach this address, and the page has no password",
            "write one into a file: --password-file FILE; or use 127.0.0.1 and ssh -L",
        )


def read_password(path: Path) -> str:
    """The first line of a file.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    try:
        password = path.read_text().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read the password from {path}: {fault}") from fault
    if not password:
        raise UsageError(f"the first line of {path} is empty", "write the password there")
    return password


def serve(
    resolve: Callable[[], Target],
    options: Options,
    ready: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Serve the page until ``stop`` is set.

    Args:
        resolve: finds the Swarm's managers.
        options: the command's.
        ready: called with the page's URL.
        stop: set by a signal.

    Raises:
        SwarmctlError: the port is taken, the libraries are missing, or no manager answers the first
            time.
    """
    from swarmctl.cluster import named

    require_extra("discovery", "the HTTP server", "starlette", "uvicorn")
    check(options.place, options.password)
    with ExitStack() as ends:
        bound = ends.enter_context(listen_tcp(options.place, "--port"))
        source = ends.enter_context(WebSource(resolve(), resolve))
        options = replace(options, cluster=named(source.target, options.cluster or None))
        events = SwarmEvents(source.target.endpoints)
        ends.callback(events.close)
        ends.enter_context(running(bound, source, options, events.wait))
        ready(_url(bound, options.place))
        stop.wait()


@contextmanager
def running(
    bound: socket.socket, source: Source, options: Options, wait: Callable[[float], None]
) -> Iterator[None]:
    """The page while the block runs.

    Args:
        bound: where it listens.
        source: what it shows.
        options: of the command.
        wait: lets time pass between two snapshots, less if something has changed.
    """
    from uvicorn import Config, Server

    from swarmctl.web.answers import answers
    from swarmctl.web.app import make_app
    from swarmctl.web.balancer import Balancer
    from swarmctl.web.feed import Feed
    from swarmctl.web.poller import Poller

    with ExitStack() as ends:
        loop = LoopThread("web")
        ends.callback(loop.close)
        feed = Feed()
        poller = Poller(
            source,
            lambda found, status: _on_loop(loop, lambda: feed.publish(found, status)),
            lambda status: _on_loop(loop, lambda: feed.tell(status)),
            wait,
            options.interval,
        )
        ends.callback(poller.close)
        app = make_app(
            feed,
            answers(source, poller, Balancer(options.cluster), options.runs),
            poller.want,
            password=options.password,
            loopback=options.place.loopback,
        )
        server = Server(
            Config(app, log_config=None, lifespan="off", server_header=False, access_log=False)
        )
        served = loop.start(server.serve(sockets=[bound]))
        beat = loop.start(_beat(feed, poller))
        try:
            yield
        finally:
            poller.end()  # what it would publish keeps the loop from ending the streams
            beat.cancel()
            _on_loop(loop, feed.close)
            server.should_exit = True
            with suppress(TimeoutError):  # a viewer that does not read is cut off
                served.result(_END_S)


def _on_loop(loop: LoopThread, call: Callable[[], object]) -> None:
    loop.loop.call_soon_threadsafe(call)


async def _beat(feed: Feed, poller: Poller) -> None:
    """Keep reading while somebody looks, and say how old the page is."""
    while True:
        await asyncio.sleep(_BEAT_S)
        if feed.viewers:
            poller.want()
            feed.tell(poller.reading.status())


def _url(bound: socket.socket, place: Place) -> str:
    return f"http://{Place(place.address, bound.getsockname()[1])}/"
