"""``swarmctl stack prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption
from swarmctl.cli.stack.options import DeployedArgument


def prune(
    stack: DeployedArgument,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove them; without this they are only shown.")
    ] = False,
    previous: Annotated[
        bool,
        typer.Option("--previous", help="Include those that `docker service rollback` would need."),
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show (with --yes: remove) configs and secrets of old versions that no service uses."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove

    found = remove.prune(
        resolve(cluster, host),
        stack,
        remove=yes,
        keep_previous=not previous,
        note=console.note,
    )
    for line in found.lines():
        console.emit(f"- {line}" if yes else line)
    if found.empty:
        console.note(f"{stack}: nothing to remove")
    elif not yes:
        console.note("nothing was removed; --yes removes them")
