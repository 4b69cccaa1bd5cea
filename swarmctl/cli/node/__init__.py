"""``swarmctl node``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.node import activate, drain, trust, unlock

app = typer.Typer(no_args_is_help=True, help="The machines of a cluster.")
app.command()(drain.drain)
app.command()(activate.activate)
app.command()(trust.trust)
app.command()(unlock.unlock)
