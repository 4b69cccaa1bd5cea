"""The commands of ``swarmctl stack``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def stack() -> None:
    """Render stacks, and wait for what was deployed."""
