"""The commands of ``swarmctl lab``."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def lab() -> None:
    """A local AWS whose EC2 instances are real machines."""
