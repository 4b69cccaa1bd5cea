"""``swarmctl image list`` and ``prune``: what a registry has of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.image.options import home
from swarmctl.cli.options import ClusterOption, Format, HostOption, RegistryOption, TableOrJson

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.images.home import Home
    from swarmctl.images.stored import Stored

StacksArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME|PATH]…",
        help="Stacks.  [default: all]",
        autocompletion=completion.stack_sources,
        show_default=False,
    ),
]


def list_images(
    stacks: StacksArgument = None,
    output: TableOrJson = Format.TABLE,
    registry: RegistryOption = "",
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """List the cluster's images in the registry, and which services use them."""
    from swarmctl.cli.image.table import images_as_data, images_table
    from swarmctl.cluster import resolve

    there = home(registry, cluster)
    found = _stored(there, stacks, resolve(cluster, host))
    if output is Format.JSON:
        console.emit_json(images_as_data(there.host, found))
    else:
        console.out().print(images_table(there.host, found))


def prune(
    stacks: StacksArgument = None,
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="N", help="Keep the newest N of each image.")
    ] = 5,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")
    ] = False,
    registry: RegistryOption = "",
    cluster: ClusterOption = None,
) -> None:
    """Remove images that no service uses, nor would use after a rollback.

    The newest of each image stay, used or not: they are what a deploy can go back to. The cluster's
    own managers are asked: to another Swarm's services all of its images would look unused.
    """
    from swarmctl.cluster import resolve
    from swarmctl.images.stored import remove, unused
    from swarmctl.reading.quantities import written_size

    there = home(registry, cluster)
    found = unused(_stored(there, stacks, resolve(cluster)), keep)
    if not dry_run:
        remove(there, found)
    for image in found:
        console.emit(f"- {image.repository}:{image.tags[0]} ({written_size(image.size)})")
    if not found:
        console.note("nothing to remove")
    elif dry_run:
        console.note("nothing was removed: --dry-run")


def _stored(there: Home, stacks: list[str] | None, target: Target) -> list[Stored]:
    from swarmctl.images.stored import repositories_of, stored_images
    from swarmctl.stack.render.folders import stack_names
    from swarmctl.stack.render.source import find_stack
    from swarmctl.swarm.engine import SwarmEngine

    names = stacks or stack_names()
    repositories = repositories_of(there, [find_stack(name) for name in names], complete=not stacks)
    with target.failover() as swarm:
        engine = SwarmEngine(swarm)
        services: Any = engine.get("/services") or ()
        configs: Any = engine.get("/configs") or ()
    return stored_images(there, repositories, services, configs)
