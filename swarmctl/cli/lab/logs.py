"""``swarmctl lab logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.lab.options import NameOption


def logs(
    node: Annotated[
        str,
        typer.Argument(metavar="NODE", help="A node's name or id.  [default: the lab itself]"),
    ] = "",
    name: NameOption = "lab",
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=1, metavar="N", help="How many lines.")
    ] = 50,
) -> None:
    """Print the last lines of a machine's console, or of the lab's own log."""
    from swarmctl.lab import instances

    console.emit(instances.log_of(name, node, lines))
