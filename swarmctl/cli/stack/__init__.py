"""``swarmctl stack``: one file a command, put together here in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.stack import deploy, diff, lint, list_, prune, render, rm, unlock, wait

app = typer.Typer(
    no_args_is_help=True, help="Render, check, deploy and remove stacks; wait for them."
)
app.command("list")(list_.list_stacks)
app.command()(render.render)
app.command()(lint.lint)
app.command()(diff.diff)
app.command()(deploy.deploy)
app.command()(wait.wait)
app.command()(rm.rm)
app.command()(prune.prune)
app.command()(unlock.unlock)
