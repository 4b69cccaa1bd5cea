"""``swarmctl backup take``."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.backup.options import NodeOption, OnlyOption, StoreOption, reached
from swarmctl.cli.options import ClusterOption
from swarmctl.errors import RefusedError

if TYPE_CHECKING:
    from swarmctl.backup.choose import Choice


def take(
    to: StoreOption = "",
    recipient: Annotated[
        list[str] | None,
        typer.Option(
            "--recipient", metavar="KEY", help="A public key: age1… or ssh-ed25519 …; repeatable."
        ),
    ] = None,
    node: NodeOption = "",
    stop_the_only_manager: OnlyOption = False,
    keep: Annotated[
        int,
        typer.Option(
            "--keep",
            min=0,
            metavar="N",
            help="Remove all but the newest N backups of this cluster, and the newest proven one. "
            "0: keep all.",
        ),
    ] = 0,
    data: Annotated[
        bool,
        typer.Option(
            "--data", help="Copy data of services first: read backup_volumes as JSON from stdin."
        ),
    ] = False,
    cluster: ClusterOption = None,
) -> None:
    """Copy the state of a manager whose Engine is stopped for some seconds, encrypted.

    A manager that runs tasks is refused: drain it first (playbooks/backup.yml does).
    """
    from swarmctl.backup import age, record
    from swarmctl.backup.choose import choose_manager
    from swarmctl.backup.data import copy_all, sources
    from swarmctl.backup.store.retention import name_of, to_remove
    from swarmctl.backup.store.store import open_store
    from swarmctl.backup.take import look
    from swarmctl.backup.take import take as copy
    from swarmctl.cluster import resolve
    from swarmctl.swarm import lock
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    recipients = recipient or []
    keys, store = age.recipients(recipients), open_store(to)
    wanted = sources(sys.stdin.read()) if data else ()
    store.files.names()  # fails now, not when the Engine has been stopped
    target = resolve(cluster)
    with target.failover() as swarm, target.failover() as second, reached(target) as nodes:
        engine = Patient(SwarmEngine(swarm), 60.0, console.note)
        owner = lock.this_process("backup")
        renewer = SwarmEngine(second)
        with lock.held(engine, lock.CHAOS, lock.LIVE_S, owner, console.note, renewer=renewer):

            def chosen() -> Choice:
                choice = choose_manager(engine.snapshot(), node, only=stop_the_only_manager)
                if choice.drain:
                    raise RefusedError(
                        f"{choice.tasks} tasks run on {choice.node.hostname}, and would stop",
                        f"swarmctl node drain {choice.node.hostname}; playbooks/backup.yml does it",
                    )
                look(nodes, choice)
                return choice

            chosen()  # a refusal comes before the data is copied, which may take hours
            moment = datetime.now(UTC)
            name = name_of(target.cluster, moment)
            try:
                copies = copy_all(engine.snapshot(), nodes, wanted, name, keys, store, console.note)
                manifest = copy(
                    engine,
                    nodes,
                    chosen(),  # not what was fit before the data was copied
                    target.cluster,
                    keys,
                    recipients,
                    store,
                    moment,
                    console.note,
                )
                store.keep(replace(manifest, data=copies))
            except BaseException:  # also Ctrl-C: files without a manifest are no backup
                store.remove(name)
                raise
            record.record(engine, manifest, store.where)
            for half in store.halves(target.cluster, moment - timedelta(days=1)):
                store.remove(half)
                console.note(f"removed what a killed run left of {half}")
            names = store.backups(target.cluster)
            proven = [n for n in names if (proof := store.proof(n)) and proof.proven]
            for old in to_remove(names, keep, proven):
                store.remove(old)
                console.note(f"removed {old}: {keep} newer ones are kept")
    console.emit(
        f"{manifest.name}: {manifest.archive.size / 1e6:.1f} MB, {len(manifest.objects)} objects, "
        f"{len(copies)} of data, "
        f"Engine of {manifest.node.name} down for {manifest.engine_down_s:.1f} s"
    )
