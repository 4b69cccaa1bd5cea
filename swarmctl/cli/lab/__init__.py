"""``swarmctl lab``: one file a command, put together here in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.lab import doctor, down, env, logs, status, up

app = typer.Typer(no_args_is_help=True, help="A local AWS whose EC2 instances are real machines.")
app.command()(up.up)
app.command()(down.down)
app.command()(env.env)
app.command()(status.status)
app.command()(logs.logs)
app.command()(doctor.doctor)
