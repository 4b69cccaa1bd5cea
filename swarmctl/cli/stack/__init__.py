"""``swarmctl stack``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.stack import deploy, lint, remove, render, rollback

app = typer.Typer(
    no_args_is_help=True, help="Render, check, deploy and remove stacks; wait for them."
)
app.command("list")(render.list_stacks)
app.command()(render.render)
app.command()(lint.lint)
app.command()(deploy.diff)
app.command()(deploy.deploy)
app.command()(deploy.wait)
app.command()(rollback.rollback)
app.command()(remove.rm)
app.command()(remove.prune)
app.command()(remove.unlock)
