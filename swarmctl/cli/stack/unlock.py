"""``swarmctl stack unlock``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption
from swarmctl.cli.stack.options import DeployedArgument


def unlock(
    stack: DeployedArgument,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Remove the lock that a killed deploy has left behind."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import remove

    found = remove.unlock(resolve(cluster, host), stack)
    if found is None:
        console.note(f"{stack} is not locked")
        return
    console.emit(f"{stack} was locked by {found.owner} since {found.since:%Y-%m-%d %H:%M:%S} UTC")
