"""``swarmctl backup key``: make a key pair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.errors import RefusedError


def key(
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="For the private key.")
    ],
) -> None:
    """Make a key pair for backups: FILE gets the private key, the public one is printed.

    Who has lost FILE cannot restore. Keep it where no node and no backup is; age can read it, too.
    """
    from swarmctl.backup.age import new_identity
    from swarmctl.reading.files import PRIVATE, write_whole

    if file.exists():
        raise RefusedError(f"{file} exists", "backups may have been encrypted for it; name another")
    private, public = new_identity()
    write_whole(file, f"# public key: {public}\n{private}\n", PRIVATE)
    console.emit(public)
    console.note(
        f"the private key is in {file}; put the public key into backup_recipients "
        "(inventory/group_vars/all.yml)"
    )
