"""``swarmctl chaos``: its commands, put together in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.chaos import doctor, faults, files, history, predict, report, revert, run

app = typer.Typer(
    no_args_is_help=True,
    help="Break something on purpose, prove that the Swarm recovers, and undo it.",
)
for part in (run, faults, revert, predict, doctor, files, report, history):
    app.add_typer(part.app)
