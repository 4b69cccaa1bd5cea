"""``swarmctl backup list``."""

from __future__ import annotations

from datetime import UTC, datetime

from swarmctl.cli import console
from swarmctl.cli.backup.options import StoreOption
from swarmctl.cli.options import ClusterOption, Format, TableOrJson
from swarmctl.errors import Exit, SwarmctlError


def list_(
    where: StoreOption = "", format_: TableOrJson = Format.TABLE, cluster: ClusterOption = None
) -> int:
    """Show the backups of a cluster, and how the last restore of each in the lab ended.

    Exit code 1: what is recorded of one cannot be read.
    """
    from swarmctl.backup.store.retention import age_in_words
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import name_only
    from swarmctl.reading.times import parse_time

    name, store = name_only(cluster), open_store(where)
    code, found = Exit.OK, []
    for each in store.backups(name):
        try:
            found.append((store.find(name, each), store.proof(each)))
        except SwarmctlError as fault:  # the others are wanted all the more
            console.error(fault.message)
            code = Exit.FAILED
    if format_ is Format.JSON:
        import msgspec

        console.emit_json(
            [{**msgspec.to_builtins(m), "proof": msgspec.to_builtins(p)} for m, p in found]
        )
        return int(code)
    if not found:
        console.emit(store.empty(name))
    for manifest, proof in found:
        age = age_in_words(datetime.now(UTC) - parse_time(manifest.taken_at))
        proven = (
            "never restored"
            if proof is None
            else (f"proven {proof.at}" if proof.proven else f"NOT PROVEN: {proof.differences[0]}")
        )
        size = sum(file.size for file in manifest.files) / 1e6
        console.emit(
            f"{manifest.name}  {age} old  {size:.1f} MB  Engine {manifest.engine}  "
            f"{manifest.node.name} {manifest.node.address}  {proven}"
        )
    return int(code)
