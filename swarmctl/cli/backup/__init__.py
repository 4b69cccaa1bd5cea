"""``swarmctl backup``: its commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from swarmctl.cli.backup import check, key, list_, load, plan, prove, restore, take

app = typer.Typer(
    no_args_is_help=True,
    help="Take, check and restore encrypted copies of the Swarm's state. The playbooks backup, "
    "restore and verify_backup use these commands.",
)
app.command("list")(list_.list_)
app.command()(check.check)
app.command()(key.key)
app.command()(plan.plan)
app.command()(take.take)
app.command()(prove.prove)
app.command()(restore.restore)
app.command()(load.load)
