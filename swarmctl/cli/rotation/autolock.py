"""``swarmctl autolock on`` and ``off``."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Literal

import typer

from swarmctl.cli.options import ClusterOption
from swarmctl.cli.rotation.output import DryRunOption, show


def on(
    store: Annotated[
        Literal["ssm", "file"] | None,
        typer.Option(
            "--store",
            help="Where the unlock key is kept: SSM Parameter Store, or a file of Ansible Vault in "
            "the cluster's state directory ($ANSIBLE_VAULT_PASSWORD_FILE).  [default: where it "
            "is, else ssm; with machines of your own: file]",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRunOption = False,
    cluster: ClusterOption = None,
) -> None:
    """Lock managers after a restart until they get the unlock key; store the key.

    `swarmctl node unlock --all` then unlocks them. Given again, it stores the key if it is not
    stored; nothing else in the Swarm changes.
    """
    from swarmctl.autolock.store import store_of
    from swarmctl.autolock.switch import turn_on
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine

    target = resolve(cluster)
    with target.failover() as swarm:
        lines = turn_on(SwarmEngine(swarm), store_of(target.cluster, store), dry_run=dry_run)
    show(lines, dry_run=dry_run)


def off(dry_run: DryRunOption = False, cluster: ClusterOption = None) -> None:
    """Do not lock managers any more; the stored key is removed when none of them needs it."""
    from swarmctl.autolock.store import store_of
    from swarmctl.autolock.switch import managers_of, shell_of, turn_off
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine

    target = resolve(cluster)
    with target.failover() as swarm, closing(shell_of(target)) as shell:
        store = store_of(target.cluster)
        engine = SwarmEngine(swarm)
        lines = turn_off(engine, store, shell, managers_of(target), dry_run=dry_run)
    show(lines, dry_run=dry_run)


def forget(
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="NAME", help="Of a cluster that is removed.")
    ],
    dry_run: DryRunOption = False,
) -> None:
    """Remove the stored key of a cluster that does not exist any more; teardown.yml does it."""
    from swarmctl.autolock.store import forget as carry_out
    from swarmctl.reading.names import cluster_name

    show(carry_out(cluster_name(cluster), dry_run=dry_run), dry_run=dry_run)
