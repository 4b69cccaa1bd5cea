"""``swarmctl discovery``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.discovery import check, namespace, run, show, sync

app = typer.Typer(
    no_args_is_help=True,
    help="Publish what serves: Consul's HTTP API and DNS, Cloud Map, a load balancer.",
)
app.command()(run.run)
app.command("list")(show.list_)
app.command()(check.check)
app.command()(sync.sync)
app.add_typer(namespace.app, name="namespace")
