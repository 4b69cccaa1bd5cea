"""``swarmctl discovery list``: the endpoints, read from the Swarm itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson

if TYPE_CHECKING:
    from swarmctl.cluster import Target
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
    from swarmctl.cluster import resolve
    from swarmctl.discovery.catalogue import catalogue

    with reader(resolve(cluster, host)) as (snapshot, _):
        found = catalogue(snapshot())
    chosen = found.endpoints
    if service is not None:
        from swarmctl.discovery.choose import choose

        chosen = choose(found, service)
    if format_ is Format.JSON:
        from swarmctl.discovery.as_json import as_json

        console.emit_json(as_json(found, chosen))
        return
    from swarmctl.cli.show.discovery import show_endpoints

    show_endpoints(found, chosen, service)


@contextmanager
def reader(target: Target) -> Iterator[tuple[Callable[[], Swarm], Callable[[], str]]]:
    """Reads snapshots, and the Swarm's id; nodes are asked for ports that the managers forgot."""
    from swarmctl.discovery.forgotten.ask_nodes import ask_nodes

    shell = target.shell()
    with target.failover() as failover:

        def snapshot() -> Swarm:
            swarm = failover.snapshot()
            return ask_nodes(swarm, shell) if shell else swarm

        yield snapshot, failover.cluster_id
    if shell:
        shell.close()
