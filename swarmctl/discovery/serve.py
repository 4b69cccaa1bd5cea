"""Puts the agent together: sockets, source, listeners; and takes it down in order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from swarmctl.cloud.session import calls
from swarmctl.discovery.agent import Agent
from swarmctl.discovery.consul.dns_server import DnsListener
from swarmctl.discovery.consul.identity import Identity
from swarmctl.discovery.contact import Contact
from swarmctl.discovery.forgotten.ask_nodes import AskPorts
from swarmctl.discovery.listeners.aws import Aws
from swarmctl.discovery.listeners.listener import Listener, Outlet
from swarmctl.discovery.listeners.registry_refresh import RegistryRefresh
from swarmctl.discovery.listeners.sockets import Place, listen_dns, listen_tcp
from swarmctl.discovery.metrics import metrics
from swarmctl.discovery.source import LiveSource
from swarmctl.errors import require_extra
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.observe.events import SwarmEvents
from swarmctl.swarm.observe.host_ports import Shell, read_host_ports
from swarmctl.swarm.patience import Patient

if TYPE_CHECKING:
    from swarmctl.cluster import Target

# Seconds that a change is tried for, as long as an election lasts.
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """What ``swarmctl discovery run`` was told.

    Attributes:
        http: where the Consul API listens.
        dns: where DNS listens.
        identity: names that clients are configured with.
        interval: seconds between two polls.
        kv_prefix: see :class:`swarmctl.discovery.source.LiveSource`.
        aws: where to publish in AWS, of the Swarm that was found.
        registry_refresh: whether pull credentials are renewed, too.
    """

    http: Place
    dns: Place
    identity: Identity
    interval: float = 0.5
    kv_prefix: str = ""
    aws: Callable[[Target], Aws] = lambda _: Aws()
    registry_refresh: bool = False


def serve(
    resolve: Callable[[], Target],
    options: Options,
    note: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Publish until ``stop`` is set.

    Args:
        resolve: finds the Swarm's managers; called again when none has answered for a while.
        options: the command's.
        note: called with each line of the log.
        stop: set by a signal.

    Raises:
        SwarmctlError: a port is taken, the libraries are missing, or no manager answers the first
            time.
    """
    require_extra("discovery", "the HTTP server", "starlette", "uvicorn")
    from swarmctl.discovery.consul.http_server import HttpListener

    with ExitStack() as ends:
        http = ends.enter_context(listen_tcp(options.http, "--http"))
        udp, tcp = listen_dns(options.dns, "--dns")
        ends.callback(tcp.close)
        ends.callback(udp.close)
        source = ends.enter_context(LiveSource(resolve(), resolve, options.kv_prefix))
        contact = Contact()
        events = SwarmEvents(source.target.endpoints)
        ends.callback(events.close)
        aws = options.aws(source.target)
        if shell := source.shell():
            ends.callback(shell.close)
        ask = ports_from(shell, aws.cloud_map, source.cluster_id)
        agent = Agent(source, contact, note, ask, options.interval, events.wait)
        ends.callback(agent.close)
        agent.start()
        consul = HttpListener(
            http,
            options.identity,
            contact,
            lambda: metrics(agent.edition, contact, agent.states(), calls),
        )
        ends.callback(consul.close)
        names = DnsListener((udp, tcp), options.identity)
        ends.callback(names.close)
        listeners: list[Listener] = [consul, names]
        listeners += aws.publishers(source.cluster_id, note)
        if options.registry_refresh:
            listeners.append(RegistryRefresh(partial(_engine, source), note))
        agent.outlets += [Outlet(listener, note) for listener in listeners]
        for outlet in agent.outlets:
            ends.callback(outlet.close)
        agent.offer()
        note(f"Consul API on http://{_bound(http)}, DNS on {_bound(udp)} (UDP and TCP)")
        agent.run(stop)


@contextmanager
def _engine(source: LiveSource) -> Iterator[Engine]:
    """A connection for changes, to the managers as they are now."""
    with source.target.failover() as connection:
        yield Patient(SwarmEngine(connection), _PATIENCE_S)


def ports_from(shell: Shell | None, namespace: str, owner: Callable[[], str]) -> AskPorts | None:
    """Who knows ports that the managers forgot: the nodes, or else the namespace."""
    if shell is not None:
        return partial(read_host_ports, shell)
    if not namespace:
        return None
    from swarmctl.cloud.cloud_map import CloudMap
    from swarmctl.discovery.forgotten.published import PublishedPorts

    return PublishedPorts(partial(CloudMap, namespace), owner)


def _bound(listening: socket.socket) -> str:
    address, port, *_ = listening.getsockname()
    return str(Place(address, port))
