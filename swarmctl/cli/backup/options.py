"""Options that the commands of ``swarmctl backup`` share."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swarmctl.backup.manifest import Manifest
    from swarmctl.backup.store.store import Store
    from swarmctl.backup.take import Nodes
    from swarmctl.cluster import Target

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A backup's name, or latest: swarmctl backup list.")
]
StoreOption = Annotated[
    str,
    typer.Option(
        "--to",
        "--from",
        metavar="DIR|s3://BUCKET/PREFIX",
        envvar="SWARMCTL_BACKUP_TO",
        help="Where the backups are kept.",
    ),
]
IdentityOption = Annotated[
    Path,
    typer.Option(
        "--identity", "-i", metavar="FILE", help="The private key: swarmctl backup key -o FILE."
    ),
]
UnlockKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--unlock-key-file",
        metavar="FILE",
        help="The Swarm's unlock key at the time of the backup, if it was autolocked.  "
        "[default: the stored ones, see swarmctl autolock]",
        show_default=False,
    ),
]
NodeOption = Annotated[
    str,
    typer.Option("--node", metavar="NAME", help="The manager to copy.  [default: the idlest]"),
]
OnlyOption = Annotated[
    bool,
    typer.Option(
        "--stop-the-only-manager",
        help="Accept that the only manager is stopped for some seconds: nothing is scheduled or "
        "healed meanwhile, and what runs on it stops.",
    ),
]


def ours(store: Store, cluster: str, name: str) -> Manifest:
    """The manifest of a cluster's backup.

    Raises:
        RefusedError: it is of another cluster, or of a Swarm that this one has not.
    """
    from swarmctl.backup.refusals import other_cluster
    from swarmctl.state import cluster_dir

    record = cluster_dir(cluster) / "swarm_id"  # by the playbooks
    recorded = record.read_text().strip() if record.is_file() else ""
    manifest = store.find(cluster, name)
    if reason := other_cluster(manifest, cluster, recorded):
        raise RefusedError(reason)
    return manifest


def unlocked_file(pem: str, file: Path | None, cluster: str) -> str:
    """A manager's key file without its lock; ``""``: it has none.

    Args:
        pem: the key file.
        file: with unlock keys, one a line; ``None``: those that are stored for the cluster.
        cluster: its name.

    Raises:
        RefusedError: none opens it.
        UsageError: the file cannot be read.
    """
    from swarmctl.backup.unlock_key import unlocked

    if file is None:
        from swarmctl.autolock.store import store_of

        stored = store_of(cluster)
        return unlocked(pem, stored.read, stored.where)
    try:
        text = file.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read --unlock-key-file {file}: {fault}") from fault
    return unlocked(pem, text.split, str(file))


@contextmanager
def reached(target: Target) -> Iterator[Nodes]:
    """The nodes of a cluster.

    Raises:
        UsageError: ``--host`` was given: it names one manager only.
    """
    from swarmctl.backup.take import Nodes

    shell = target.shell()
    if shell is None:
        raise UsageError("the nodes are not known", "name the cluster with --cluster, not --host")
    try:
        yield Nodes(shell, target.nodes())
    finally:
        shell.close()
