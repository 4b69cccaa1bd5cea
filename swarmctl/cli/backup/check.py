"""``swarmctl backup check``."""

from __future__ import annotations

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


def check(
    name: NameArgument,
    identity: IdentityOption,
    where: StoreOption = "",
    unlock_key_file: UnlockKeyOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Read all of a backup: checksums, the keys, and that it is the state of its manager.

    Nothing is written, and no node is asked. Exit code 3: it cannot be restored.
    """
    from swarmctl.backup import age
    from swarmctl.backup.archive import check_archive, fetched
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import name_only

    keys, store, mine = age.identities(identity), open_store(where), name_only(cluster)
    manifest = ours(store, mine, name)
    with fetched(store, manifest.archive) as path:
        pem = check_archive(path, manifest, keys)
    unlocked_file(pem, unlock_key_file, mine)
    for copy in manifest.data:
        with fetched(store, copy.file) as path, age.decrypted(path, keys, copy.file.name):
            pass
    console.emit(f"{manifest.name}: whole, and the key fits")
