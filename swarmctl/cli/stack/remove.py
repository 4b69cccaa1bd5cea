"""``swarmctl stack rm``, ``prune`` and ``unlock``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, DeployedArgument, HostOption, TimeoutOption
from swarmctl.errors import RefusedError


def rm(
    stack: DeployedArgument,
    volumes: Annotated[
        bool,
        typer.Option("--volumes", help="Also remove its volumes on every node: data is lost."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before data is lost.")
    ] = False,
    timeout: TimeoutOption = 120,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Remove a stack, and wait until its tasks and networks are gone.

    External secrets, configs and networks stay, and so do volumes without --volumes.
    """
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy.remove import remove_stack

    def confirm(found: Sequence[str]) -> None:
        names = ", ".join(found)
        if yes:
            return
        if not sys.stdin.isatty():
            raise RefusedError(
                f"the data in {names} would be lost", f"swarmctl stack rm {stack} --volumes --yes"
            )
        if not typer.confirm(f"Remove {stack} and the data in {names}?", err=True):
            raise RefusedError("nothing was removed")

    remove_stack(
        resolve(cluster, host),
        stack,
        volumes=volumes,
        timeout=timeout,
        confirm=confirm,
        removed=lambda what: console.emit(f"- {what}"),
        note=console.note,
    )


def prune(
    stack: DeployedArgument,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove them.  [default: only show them]")
    ] = False,
    previous: Annotated[
        bool,
        typer.Option("--previous", help="Also those that `docker service rollback` needs."),
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show (with --yes: remove) configs and secrets of old versions that no service uses."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove

    target, note = resolve(cluster, host), console.note
    found = remove.prune(target, stack, remove=yes, keep_previous=not previous, note=note)
    for line in found:
        console.emit(f"- {line}" if yes else line)
    if not found:
        console.note(f"{stack}: nothing to remove")
    elif not yes:
        console.note("nothing was removed; --yes removes them")


def unlock(
    stack: DeployedArgument,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Remove the lock of a killed deploy."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove

    found = remove.unlock(resolve(cluster, host), stack)
    if found is None:
        console.note(f"{stack} is not locked")
        return
    console.emit(f"{stack} was locked by {found.owner} since {found.since:%Y-%m-%d %H:%M:%S} UTC")
