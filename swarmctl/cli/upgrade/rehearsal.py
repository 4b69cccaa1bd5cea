"""``swarmctl upgrade rehearsal``: the files for a lab that is like this cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption


def rehearsal(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    snapshot: Annotated[
        Path | None,
        typer.Option("--snapshot", metavar="FILE", help="Of `swarmctl snapshot`.  [default: now]"),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Write settings.json for site.yml, and docker-compose.yml with a placeholder for each service.

    For -e rehearse=true of playbooks/upgrade.yml: as many nodes of each role with the same labels,
    and services that are placed by the same rules. Nothing that a service runs or knows is written.
    """
    from swarmctl.cluster import name_only, resolve
    from swarmctl.lab.api import OLDER_ENGINE_AMI
    from swarmctl.reading.files import PRIVATE, write_whole
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.snapshot import load_snapshot, read_swarm
    from swarmctl.upgrade.rehearsal import compose, settings

    name = name_only(cluster)
    if snapshot:
        swarm = load_snapshot(snapshot)
    else:
        with resolve(cluster, host).failover() as failover:
            swarm = read_swarm(SwarmEngine(failover))
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, and needs no care for quotes.
    files = {"settings.json": settings(swarm, name) | {"ami_id": OLDER_ENGINE_AMI}}
    if swarm.services:
        files["docker-compose.yml"] = compose(swarm)
    for file, content in files.items():
        write_whole(folder / file, json.dumps(content, indent=1) + "\n", PRIVATE)
    console.note(f"{folder}: {len(swarm.nodes)} nodes, {len(swarm.services)} services")
