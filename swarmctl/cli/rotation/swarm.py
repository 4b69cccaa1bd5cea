"""``swarmctl rotate tokens``, ``ca`` and ``unlock-key``: what belongs to the Swarm itself."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, TimeoutOption
from swarmctl.cli.rotation.output import DryRunOption, show

# An election lasts some seconds; the managers connect to each other anew when the root changes.
_PATIENCE_S = 30.0


def tokens(
    dry_run: DryRunOption = False, cluster: ClusterOption = None, host: HostOption = None
) -> None:
    """New join tokens for workers and managers. Nodes that have joined stay."""
    from swarmctl.cluster import resolve
    from swarmctl.rotation import tokens as rotation
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    with resolve(cluster, host).failover() as swarm:
        engine = Patient(SwarmEngine(swarm), _PATIENCE_S, console.note)
        show(rotation.rotate(engine, dry_run=dry_run), dry_run=dry_run)


def ca(
    timeout: TimeoutOption = 300,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart-services",
            help="Restart the services of which the managers forget the ports that nodes have "
            "chosen: those with templates, and others if the leader changes.",
        ),
    ] = False,
    dry_run: DryRunOption = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """A new root certificate, and new certificates for all nodes; the join tokens change with it.

    Every node must be ready, or it would never end. One that was interrupted goes on by itself, and
    the same command waits for its end. Exit codes: 0 done; 1 a node has no new certificate yet; 3
    refused, nothing was changed.
    """
    from swarmctl.cluster import resolve
    from swarmctl.rotation import ca as rotation
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    with resolve(cluster, host).failover() as swarm:
        engine = Patient(SwarmEngine(swarm), _PATIENCE_S, console.note)
        lines = rotation.rotate(
            engine, timeout=timeout, restart=restart, dry_run=dry_run, note=console.note
        )
    show(lines, dry_run=dry_run)


def unlock_key(
    timeout: TimeoutOption = 120, dry_run: DryRunOption = False, cluster: ClusterOption = None
) -> None:
    """A new unlock key for autolocked managers.

    The former key stays stored until every manager uses the new one. A rotation that was
    interrupted is finished. Exit codes: 0 done; 1 a manager does not use it yet; 3 refused, nothing
    was changed.
    """
    from swarmctl.autolock.store import store_of
    from swarmctl.autolock.switch import managers_of, shell_of
    from swarmctl.cluster import resolve
    from swarmctl.rotation import unlock_key as rotation
    from swarmctl.swarm.engine import SwarmEngine

    target = resolve(cluster)
    with target.failover() as swarm, closing(shell_of(target)) as shell:
        lines = rotation.rotate(
            SwarmEngine(swarm),
            store_of(target.cluster),
            shell,
            managers_of(target),
            timeout=timeout,
            dry_run=dry_run,
            note=console.note,
        )
    show(lines, dry_run=dry_run)
