"""What the commands here have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from swarmctl.cli import console

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
]


def show(lines: Iterable[str], *, dry_run: bool) -> None:
    """Print what was, or would be, changed: one line each."""
    found = list(lines)
    for line in found:
        console.emit(line)
    if not found:
        console.note("nothing to change")
    elif dry_run:
        console.note("nothing was changed: --dry-run")
