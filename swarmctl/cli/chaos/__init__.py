"""``swarmctl chaos``: its commands, put together in the order of ``--help``."""

from __future__ import annotations

from swarmctl.cli.chaos import doctor, files, history, predict, report, run

app = run.app
for part in (predict, doctor, files, report, history):
    app.add_typer(part.app)
