"""``swarmctl chaos``: its commands, put together in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.chaos import (
    doctor,
    faults,
    history,
    init,
    predict,
    report,
    revert,
    run,
    schema,
    validate,
)

app = typer.Typer(no_args_is_help=True)
for part in (run, faults, revert, predict, doctor, validate, init, schema, report, history):
    app.add_typer(part.app)


@app.callback()
def chaos() -> None:
    """Break something on purpose, prove that the Swarm recovers, and undo it."""
