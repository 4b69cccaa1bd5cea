"""``swarmctl backup prove``: a backup proves itself."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from swarmctl.cli import console
from swarmctl.cli.backup.options import (
    IdentityOption,
    NameArgument,
    StoreOption,
    UnlockKeyOption,
    ours,
    unlocked_file,
)
from swarmctl.cli.options import ClusterOption
from swarmctl.errors import Exit, SwarmctlError

if TYPE_CHECKING:
    from swarmctl.backup.manifest import Manifest, Proof


def prove(
    name: NameArgument,
    identity: IdentityOption,
    where: StoreOption = "",
    unlock_key_file: UnlockKeyOption = None,
    cluster: ClusterOption = None,
) -> int:
    """Restore a backup on an isolated machine here, and compare it object by object.

    The result is kept beside the backup as NAME.proof.json, and in the live Swarm if it answers.
    It needs a Docker Engine on this machine, as the lab does. Exit code: 0 proven, 1 not.
    """
    from swarmctl.backup import age
    from swarmctl.backup.archive import check_archive, fetched
    from swarmctl.backup.prove import prove as restore_and_compare
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import name_only
    from swarmctl.lab.isolated.machine import isolated_machine

    keys, store, mine = age.identities(identity), open_store(where), name_only(cluster)
    manifest = ours(store, mine, name)
    with fetched(store, manifest.archive) as path:
        key_file = unlocked_file(check_archive(path, manifest, keys), unlock_key_file, mine)
        machine = functools.partial(isolated_machine, note=console.note)
        proof = restore_and_compare(manifest, path, keys, key_file, machine, console.note)
    store.keep(proof)
    _tell_the_swarm(mine, manifest, proof)
    for line in proof.differences:
        console.emit(f"✗ {line}")
    verdict = "proven" if proof.proven else "NOT PROVEN"
    console.emit(
        f"{manifest.name}: {verdict}: {proof.objects} of {len(manifest.objects)} objects are the "
        f"same, {proof.secrets_read} secrets were read (Engine {proof.engine}, {proof.seconds} s)"
    )
    return int(Exit.OK if proof.proven else Exit.FAILED)


def _tell_the_swarm(cluster: str, manifest: Manifest, proof: Proof) -> None:
    """Record the proof where every operator sees it; how the live Swarm differs is no fault."""
    from swarmctl.backup import record
    from swarmctl.backup.objects import differences, objects_of
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine

    try:
        with resolve(cluster).failover() as swarm:
            engine = SwarmEngine(swarm)
            if swarm.cluster_id() != manifest.swarm_id:
                raise SwarmctlError("it is another Swarm now")
            since = differences(manifest.objects, objects_of(engine))
            record.record_proof(engine, proof)
    except SwarmctlError as fault:
        console.note(f"the proof is not recorded in the Swarm: {fault.message}")
        return
    for line in since:
        console.note(f"live, since the backup: {line}")
