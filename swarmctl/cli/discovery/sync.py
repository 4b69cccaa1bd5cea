"""``swarmctl discovery sync``: bring a Cloud Map namespace in line with the Swarm, once."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption

CLOUD_MAP_HELP = "A Cloud Map namespace, which must exist."


def sync(
    cloud_map: Annotated[
        str, typer.Option("--cloud-map", metavar="NAMESPACE", help=CLOUD_MAP_HELP)
    ],
    once: Annotated[
        bool, typer.Option("--once", help="Once; the default. `run --cloud-map` goes on.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes; write nothing.")
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Register what serves in Cloud Map, and deregister what does not, with the least changes.

    What another owner registered is never touched.
    """
    del once
    from swarmctl.cli.discovery.show import reader
    from swarmctl.cluster import resolve
    from swarmctl.discovery.sync import sync as bring_in_line

    with reader(resolve(cluster, host)) as (snapshot, cluster_id):
        lines = bring_in_line(snapshot(), cloud_map, cluster_id(), dry_run=dry_run)
    for line in lines:
        console.emit(line)
    done = "would be made" if dry_run else "made"
    console.note(f"{len(lines)} changes {done}" if lines else "nothing to change")
