"""The commands of ``swarmctl chaos``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def chaos() -> None:
    """Take something away on purpose, and prove that the Swarm recovers."""
