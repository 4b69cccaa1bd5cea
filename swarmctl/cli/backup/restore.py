"""``swarmctl backup restore``."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.backup.options import (
    IdentityOption,
    NameArgument,
    StoreOption,
    UnlockKeyOption,
    ours,
    reached,
    unlocked_file,
)
from swarmctl.cli.options import ClusterOption, YesOption
from swarmctl.errors import Exit, RefusedError

if TYPE_CHECKING:
    from swarmctl.backup.manifest import Manifest
    from swarmctl.cluster import Target

_OTHER_S = 300.0


def restore(
    name: NameArgument,
    identity: IdentityOption,
    where: StoreOption = "",
    unlock_key_file: UnlockKeyOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what speaks against it.")
    ] = False,
    create: Annotated[
        bool,
        typer.Option(
            "--create", help="With --dry-run: machines that are missing will be created first."
        ),
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="When the nodes have joined again: remove old entries."),
    ] = False,
    yes: YesOption = False,
    cluster: ClusterOption = None,
) -> int:
    """Restore the Swarm on an empty manager that has the address of the backup's.

    Everything is checked first; a refusal (exit code 3) means that nothing was touched. A restore
    that was interrupted goes on when it is called again. playbooks/restore.yml calls it.
    """
    from swarmctl.backup import age
    from swarmctl.backup.archive import check_archive, fetched
    from swarmctl.backup.refusals import refusals, target_of
    from swarmctl.backup.restore import restore as put
    from swarmctl.backup.restore import survey, tidy
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine

    keys, store = age.identities(identity), open_store(where)
    target = _any_state(cluster) if create else resolve(cluster)
    manifest = ours(store, target.cluster, name)
    if finish:
        return _finish(target, manifest)
    with fetched(store, manifest.archive) as path, ExitStack() as ends:
        ends.enter_context(_alone(target.cluster))
        pem = check_archive(path, manifest, keys)
        key_file = unlocked_file(pem, unlock_key_file, target.cluster)
        nodes = ends.enter_context(reached(target)) if target.instances else None
        machines = survey(nodes, target.instances) if nodes else ()
        if reasons := refusals(manifest, machines, create=create):
            raise RefusedError("nothing was touched: " + "; ".join(reasons))
        machine = target_of(manifest, machines)
        if machine is None or nodes is None:
            console.emit(f"{manifest.name}: no machine has the address {manifest.node.address} yet")
            return int(Exit.OK)
        if dry_run:
            console.emit(f"{manifest.name} can be restored on {machine.name} ({machine.address})")
            return int(Exit.OK)
        if not yes and not typer.confirm(f"Restore {manifest.name} on {machine.name}?", err=True):
            console.note("nothing was changed")
            return int(Exit.OK)
        put(nodes, machine, manifest, path, keys, key_file, console.note)
        with _only(target, machine.name).failover() as swarm:
            tidy(SwarmEngine(swarm), manifest, console.note)
    for stopped in (m for m in machines if m.role == "manager" and m.state == "stopped"):
        console.emit(
            f"{stopped.name} is stopped, and has the old state: terminate its instance before it "
            "is started again"
        )
    console.emit(f"{manifest.name}: {machine.name} leads the Swarm {manifest.swarm_id} again")
    return int(Exit.OK)


def _alone(cluster: str) -> AbstractContextManager[None]:
    """No other restore on this computer: what a playbook began goes on after its ``kill -9``."""
    from swarmctl.reading.files import locked
    from swarmctl.state import cluster_dir

    file = cluster_dir(cluster) / "restore.lock"
    return locked(file, f"{cluster} is being restored", "wait until it has ended", _OTHER_S)


def _any_state(cluster: str | None) -> Target:
    """The cluster, also when none of its managers runs or none of its machines exists."""
    from swarmctl.cluster import Target, machines_of, name_only

    name = name_only(cluster)
    return Target((), name, machines_of(name).instances(name))


def _only(target: Target, name: str) -> Target:
    """The restored manager and no other."""
    from swarmctl.cluster import Target

    return Target((target.nodes()[name],), target.cluster, target.instances, target.cloud)


def _finish(target: Target, manifest: Manifest) -> int:
    from swarmctl.backup.restore import finish
    from swarmctl.swarm.engine import SwarmEngine

    with target.failover() as swarm, reached(target) as nodes:
        missing = finish(SwarmEngine(swarm), nodes, manifest, console.note)
    for name in missing:
        console.emit(f"{name} has not come back; its entry stays: docker node rm --force {name}")
    console.emit(f"{manifest.name}: restored")
    return int(Exit.OK)
