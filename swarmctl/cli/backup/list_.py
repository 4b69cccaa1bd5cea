"""``swarmctl backup list``."""

from __future__ import annotations

from datetime import UTC, datetime

from swarmctl.cli import console
from swarmctl.cli.backup.options import StoreOption
from swarmctl.cli.options import ClusterOption, Format, TableOrJson


def list_(
    where: StoreOption = "", format_: TableOrJson = Format.TABLE, cluster: ClusterOption = None
) -> None:
    """Show the backups of a cluster, and how the last restore of each in the lab ended."""
    from swarmctl.backup.store.retention import age_in_words
    from swarmctl.backup.store.store import open_store
    from swarmctl.cluster import name_only
    from swarmctl.reading.times import parse_time

    name, store = name_only(cluster), open_store(where)
    found = [(store.find(name, each), store.proof(each)) for each in store.backups(name)]
    if format_ is Format.JSON:
        import msgspec

        console.emit_json(
            [{**msgspec.to_builtins(m), "proof": msgspec.to_builtins(p)} for m, p in found]
        )
        return
    if not found:
        console.emit(f"{store.where} has no backup of {name}")
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
