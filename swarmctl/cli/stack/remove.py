"""``swarmctl stack rm``, ``prune`` and ``unlock``: what takes things out of the Swarm."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, TimeoutOption
from swarmctl.cli.stack.options import DeployedArgument
from swarmctl.errors import Exit, RefusedError, SwarmctlError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.stack.deploy.remove import NodeVolumes
    from swarmctl.swarm.ssh import Endpoint


def rm(
    stack: DeployedArgument,
    volumes: Annotated[
        bool,
        typer.Option("--volumes", help="Its volumes as well, on every node: the data is lost."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before data is lost.")
    ] = False,
    timeout: TimeoutOption = 120,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Remove a stack, and wait until its tasks and networks are gone.

    External secrets, configs and networks stay. Volumes stay as well, unless asked for.
    """
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove
    from swarmctl.stack.deploy.current import look
    from swarmctl.stack.deploy.deploy import connect
    from swarmctl.swarm import lock
    from swarmctl.swarm.engine import SwarmEngine

    target = resolve(cluster, host)
    nodes = _nodes(target) if volumes else {}
    found = remove.volumes(nodes, stack)
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        if not any(volume.names for volume in found):
            remove.deployed(engine, stack)  # says which stacks there are, if this is none
        else:
            _ask_for_data(stack, found, yes)
        with lock.held(engine, lock.of_stack(stack), timeout + 60, lock.me("rm"), console.note):
            current = look(engine, stack)
            remove.remove(engine, current, timeout=timeout)
    for kind in ("services", "networks", "configs", "secrets"):
        for name in current.of(kind):
            console.emit(f"- {kind.removesuffix('s')} {name}")
    if volumes:
        _remove_volumes(nodes, found)


def _nodes(target: Target) -> dict[str, Endpoint]:
    """Every machine of the cluster: a volume is on one node and nowhere else."""
    from swarmctl.cluster import endpoint

    if not target.instances:
        console.note("note: with --host, volumes are looked for on that manager only")
        return {str(where): where for where in target.endpoints}
    return {i.name: endpoint(i) for i in target.instances if i.state == "running"}


def _ask_for_data(stack: str, found: list[NodeVolumes], yes: bool) -> None:
    names = [f"{name} on {volume.node}" for volume in found for name in volume.names]
    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError(
            f"the data in {', '.join(names)} would be lost",
            f"swarmctl stack rm {stack} --volumes --yes",
        )
    if not typer.confirm(f"Remove {stack} and the data in {', '.join(names)}?", err=True):
        raise RefusedError("nothing was removed")


def _remove_volumes(nodes: dict[str, Endpoint], found: list[NodeVolumes]) -> None:
    from swarmctl.stack.deploy import remove

    left = remove.remove_volumes(nodes, found)
    kept = {(volume.node, name) for volume in left for name in volume.names}
    for volume in found:
        for name in volume.names:
            if (volume.node, name) not in kept:
                console.emit(f"- volume {name} on {volume.node}")
    problems = [f"{v.node}: {v.error}" for v in [*left, *found] if v.error]
    if problems:
        raise SwarmctlError("volumes may be left:\n  " + "\n  ".join(problems))


def prune(
    stack: DeployedArgument,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Remove them; otherwise they are only shown.")
    ] = False,
    previous: Annotated[
        bool,
        typer.Option("--previous", help="Also what only `docker service rollback` would need."),
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show (with --yes: remove) the configs and secrets of old versions that no service needs."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove
    from swarmctl.stack.deploy.current import look
    from swarmctl.stack.deploy.deploy import connect
    from swarmctl.stack.deploy.rollback import discard
    from swarmctl.swarm import lock
    from swarmctl.swarm.engine import SwarmEngine

    with connect(resolve(cluster, host)) as swarm:
        engine = SwarmEngine(swarm)
        remove.deployed(engine, stack)
        with lock.held(engine, lock.of_stack(stack), 60, lock.me("prune"), console.note):
            current = look(engine, stack)
            found = remove.leftovers(engine, current, keep_previous=not previous)
            if yes and not found.empty:
                discard(engine, found.found, timeout=20)
    for line in found.lines():
        console.emit(f"- {line}" if yes else line)
    if found.empty:
        console.note(f"{stack}: nothing is left over")
    elif not yes:
        console.note("nothing was removed; remove them with --yes")


def unlock(
    stack: DeployedArgument,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Remove the lock that a deploy left behind when it was killed."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy.deploy import connect
    from swarmctl.swarm import lock
    from swarmctl.swarm.engine import SwarmEngine

    with connect(resolve(cluster, host)) as swarm:
        engine = SwarmEngine(swarm)
        found = lock.find(engine, lock.of_stack(stack))
        if found is None:
            console.note(f"{stack} is not locked")
            raise typer.Exit(int(Exit.OK))
        lock.release(engine, found.id)
    console.emit(f"{stack} was locked by {found.owner} since {found.since:%Y-%m-%d %H:%M:%S} UTC")
