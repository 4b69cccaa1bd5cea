"""``swarmctl lab doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.lab.options import step
from swarmctl.errors import Exit


def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Install and start what is missing (Debian, Ubuntu; root)."),
    ] = False,
) -> int:
    """Check what the lab needs on this machine.

    Exit code: 0 nothing is missing, 1 something is.
    """
    from swarmctl.lab import doctor as checks

    if fix:
        checks.fix(step)
    found = checks.examine()
    for check in found:
        console.emit(check.line())
    return int(Exit.FAILED if any(check.failed for check in found) else Exit.OK)
