"""``swarmctl image``: the images of services."""

from __future__ import annotations

import typer

from swarmctl.cli.image import prefetch

app = typer.Typer(help="Put the images of services where they are needed.", no_args_is_help=True)
app.command("prefetch")(prefetch.prefetch)
