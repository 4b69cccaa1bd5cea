"""``swarmctl status``: the Swarm as a person wants to see it."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def status() -> None:
    """Show nodes, services, and what is missing."""
