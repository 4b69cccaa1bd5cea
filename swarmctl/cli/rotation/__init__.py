"""``swarmctl rotate`` and ``swarmctl autolock``."""

from __future__ import annotations

import typer

from swarmctl.cli.rotation import autolock, keys, swarm

rotate = typer.Typer(
    no_args_is_help=True, help="Give new values to tokens, certificates, keys and secrets."
)
rotate.command("tokens")(swarm.tokens)
rotate.command("ca")(swarm.ca)
rotate.command("unlock-key")(swarm.unlock_key)
rotate.command("secrets")(keys.secrets)
rotate.command("ssh-key")(keys.ssh_key)

lock = typer.Typer(
    no_args_is_help=True, help="Lock managers after a restart; keep their unlock key."
)
lock.command("on")(autolock.on)
lock.command("off")(autolock.off)
lock.command("forget")(autolock.forget)
