"""``swarmctl registry``: the credentials with which nodes pull images."""

from __future__ import annotations

import typer

from swarmctl.cli.registry import pull, refresh

app = typer.Typer(help="Keep the nodes able to pull images.", no_args_is_help=True)
app.command("refresh")(refresh.refresh)
app.command("pull")(pull.pull)
