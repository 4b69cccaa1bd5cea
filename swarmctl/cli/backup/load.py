"""``swarmctl backup load``: data of a service comes back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.backup.options import IdentityOption, NameArgument, StoreOption, reached
from swarmctl.cli.options import ClusterOption
from swarmctl.errors import UsageError


def load(
    name: NameArgument,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Which data: a name of backup_volumes.")
    ],
    identity: IdentityOption,
    where: StoreOption = "",
    node: Annotated[
        str,
        typer.Option("--node", metavar="NAME", help="Put a volume there.  [default: as it was]"),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Overwrite what is there now.")] = False,
    cluster: ClusterOption = None,
) -> None:
    """Put data of a backup back: backup_volumes is read as JSON from stdin.

    A dump is read by the command `load` in the service's container. A volume must not be in use:
    scale its service to 0 first. What is there now is overwritten.
    """
    from swarmctl.backup import age
    from swarmctl.backup.archive import fetched
    from swarmctl.backup.data import load as put
    from swarmctl.backup.data import sources
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import resolve
    from swarmctl.reading.names import unknown

    if not yes:
        raise UsageError("the data there now would be overwritten", "pass --yes")
    keys, store, target = age.identities(identity), open_store(where), resolve(cluster)
    settings = {source.name: source for source in sources(sys.stdin.read())}
    manifest = store.find(target.cluster, name)
    copies = {copy.name: copy for copy in manifest.data}
    if data not in copies:
        raise unknown("data", data, copies)
    if data not in settings:
        raise unknown("name in backup_volumes", data, settings)
    copy = copies[data]
    with fetched(store, copy.file) as path, reached(target) as nodes:
        with age.decrypted(path, keys, copy.file.name):  # as a whole, before anything is touched
            pass
        with target.failover() as swarm:
            found = swarm.snapshot()
        there = put(found, nodes, settings[data], copy, path, keys, node)
    console.emit(f"{copy.name} of {manifest.name} is back on {there}")
