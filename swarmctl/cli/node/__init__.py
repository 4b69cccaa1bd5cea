"""``swarmctl node``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.node import activate, drain, reap, remove, trust, unlock

app = typer.Typer(
    no_args_is_help=True, help="Drain, remove or unlock nodes; record their SSH host keys."
)
app.command()(drain.drain)
app.command()(activate.activate)
app.command()(remove.remove)
app.command()(reap.reap)
app.command()(trust.trust)
app.command()(unlock.unlock)
