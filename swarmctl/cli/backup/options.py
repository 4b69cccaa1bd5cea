"""Options that the commands of ``swarmctl backup`` share."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        help="The Swarm's unlock key at the time of the backup, if it was autolocked.",
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
        help="Accept that the only manager is stopped for up to 15 s: nothing is scheduled or "
        "healed meanwhile, and what runs on it stops.",
    ),
]


def unlock_key(file: Path | None) -> str:
    """The unlock key in a file; ``""`` without one.

    Raises:
        UsageError: it cannot be read.
    """
    if file is None:
        return ""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read --unlock-key-file {file}: {fault}") from fault


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
