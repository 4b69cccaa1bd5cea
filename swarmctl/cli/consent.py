"""Asks before something is lost for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from swarmctl.errors import RefusedError


def require_consent(names: Sequence[str], content: str, command: str) -> None:
    """Ask whether these may be removed with all they hold.

    Args:
        names: what would be removed.
        content: what they hold, as in "all images".
        command: what to type where nobody can be asked.

    Raises:
        RefusedError: no, or there is no terminal.
    """
    listed = ", ".join(names)
    if not sys.stdin.isatty():
        raise RefusedError(f"{content} in {listed} would be lost", command)
    if not typer.confirm(f"Remove {listed} and {content} in them?", err=True):
        raise RefusedError("nothing was removed")
