"""``swarmctl chaos schema``."""

from __future__ import annotations

import typer

from swarmctl.cli import console

app = typer.Typer()


@app.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors and other tools."""
    from swarmctl.chaos.plan.document.schema import schema

    console.emit_json(schema())
