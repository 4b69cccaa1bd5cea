"""``swarmctl backup check``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.backup.options import IdentityOption, NameArgument, StoreOption
from swarmctl.cli.options import ClusterOption


def check(
    name: NameArgument,
    identity: IdentityOption,
    where: StoreOption = "",
    cluster: ClusterOption = None,
) -> None:
    """Read all of a backup: checksums, the key, and that it is the state of its manager.

    Nothing is written, and no node is asked. Exit code 3: it cannot be restored.
    """
    from swarmctl.backup import age
    from swarmctl.backup.archive import check_archive, fetched
    from swarmctl.backup.refusals import other_cluster
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import name_only
    from swarmctl.errors import RefusedError

    keys, store, mine = age.identities(identity), open_store(where), name_only(cluster)
    manifest = store.find(mine, name)
    if reason := other_cluster(manifest, mine, recorded_swarm(mine)):
        raise RefusedError(reason)
    with fetched(store, manifest.archive) as path:
        check_archive(path, manifest, keys)
    for copy in manifest.data:
        with fetched(store, copy.file) as path, age.decrypted(path, keys, copy.file.name):
            pass
    console.emit(f"{manifest.name}: whole, and the key fits")


def recorded_swarm(cluster: str) -> str:
    """The id of the cluster's Swarm that the playbooks recorded here; ``""`` without a record."""
    from swarmctl.state import cluster_dir

    file = cluster_dir(cluster) / "swarm_id"
    return file.read_text().strip() if file.is_file() else ""
