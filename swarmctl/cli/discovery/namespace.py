"""``swarmctl discovery namespace``: the cluster's namespace of Cloud Map."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console

app = typer.Typer(no_args_is_help=True, help="Make or remove the cluster's Cloud Map namespace.")

Cluster = Annotated[
    str, typer.Option("--cluster", metavar="NAME", help="Value of the tag swarmctl:cluster.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the changes; write nothing.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For example shop.internal.")],
    vpc: Annotated[str, typer.Option("--vpc", metavar="ID", help="Where its names are answered.")],
    cluster: Cluster,
    dry_run: DryRun = False,
) -> None:
    """Make a private DNS namespace in a VPC, unless the cluster has it already."""
    from swarmctl.cloud.namespaces import ensure_namespace
    from swarmctl.reading.names import cluster_name

    _show(ensure_namespace(name, vpc, cluster_name(cluster), dry_run=dry_run), dry_run=dry_run)


@app.command()
def remove(cluster: Cluster, dry_run: DryRun = False) -> None:
    """Remove the cluster's namespaces with all that discovery published in them.

    It needs no agent and no Swarm: what belongs to the cluster is found by its tag.
    """
    from swarmctl.cloud.namespaces import remove_namespaces
    from swarmctl.reading.names import cluster_name

    _show(remove_namespaces(cluster_name(cluster), dry_run=dry_run), dry_run=dry_run)


def _show(lines: list[str], *, dry_run: bool) -> None:
    for line in lines:
        console.emit(line)
    done = "would be made" if dry_run else "made"
    console.note(f"{len(lines)} changes {done}" if lines else "nothing to change")
