"""``swarmctl upgrade``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.upgrade import finish, plan, rehearsal

app = typer.Typer(no_args_is_help=True, help="Plan an upgrade; playbooks/upgrade.yml uses it.")
app.command()(plan.plan)
app.command()(finish.finish)
app.command()(rehearsal.rehearsal)
