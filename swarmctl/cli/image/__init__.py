"""``swarmctl image``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.image import build, prefetch, repositories, stored

app = typer.Typer(
    no_args_is_help=True,
    help="Build, push and remove a stack's images; put them where they are needed.",
)
app.command()(build.build)
app.command()(build.push)
app.command("list")(stored.list_images)
app.command()(stored.prune)
app.command()(build.mirror)
app.command("prefetch")(prefetch.prefetch)
app.add_typer(repositories.app, name="repository")
