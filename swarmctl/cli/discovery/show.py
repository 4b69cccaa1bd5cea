"""``swarmctl discovery list``: the endpoints, read from the Swarm itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.discovery.routes.labels import Route
    from swarmctl.swarm.model import Swarm


def list_(
    service: Annotated[
        str | None,
        typer.Argument(
            metavar="SERVICE",
            help="Only this one: its name, or the Swarm's name.",
            autocompletion=completion.services,
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show where each published service can be reached now.

    An endpoint exists only while its task runs, is healthy, and is on a live node.
    """
    from swarmctl.cluster import named, resolve
    from swarmctl.discovery.catalogue import catalogue

    target = resolve(cluster, host)
    with reader(target) as (snapshot, _):
        found = catalogue(snapshot())
    chosen = found.endpoints
    if service is not None:
        from swarmctl.discovery.choose import choose

        chosen = choose(found, service)
    addresses = _urls(named(target, cluster), found.routes, {e.service for e in chosen})
    if format_ is Format.JSON:
        from swarmctl.discovery.as_json import as_json

        console.emit_json(as_json(found, chosen, addresses))
        return
    from swarmctl.cli.show.discovery import show_endpoints

    show_endpoints(found, chosen, service, addresses)


def _urls(cluster: str, routes: Iterable[Route], services: Collection[str]) -> dict[str, list[str]]:
    """The URLs of these services; without an answer from AWS, why there are none."""
    from swarmctl.discovery.listeners.load_balancer.urls import shown_urls
    from swarmctl.errors import SwarmctlError

    if not cluster:
        return {}
    try:
        return shown_urls(cluster, (route for route in routes if route.service in services))
    except SwarmctlError as fault:
        console.note(f"no URLs: {fault.message}")
        return {}


@contextmanager
def reader(target: Target) -> Iterator[tuple[Callable[[], Swarm], Callable[[], str]]]:
    """Reads snapshots, and the Swarm's id; nodes are asked for ports that the managers forgot."""
    from swarmctl.discovery.forgotten.ask_nodes import ask_nodes

    with ExitStack() as ends:
        failover = ends.enter_context(target.failover())
        if shell := target.shell():
            ends.callback(shell.close)

        def snapshot() -> Swarm:
            swarm = failover.snapshot()
            return ask_nodes(swarm, shell) if shell else swarm

        yield snapshot, failover.cluster_id
