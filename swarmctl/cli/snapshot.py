"""``swarmctl snapshot``: the Swarm in a file, for predictions without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption
from swarmctl.errors import SwarmctlError

app = typer.Typer()


@app.command()
def snapshot(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write.  [default: stdout]"),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Write nodes, services, tasks and networks as the Engine API's JSON, and each node's images.

    It contains the services' environment variables, so only you can read the file.
    """
    from swarmctl.cluster import resolve
    from swarmctl.reading.files import PRIVATE, write_whole
    from swarmctl.swarm.observe.images import with_images
    from swarmctl.swarm.parse import parse_swarm
    from swarmctl.swarm.snapshot import take_snapshot

    target = resolve(cluster, host)
    with target.connect() as client:
        raw = take_snapshot(client)
    if shell := target.shell():
        nodes = with_images(parse_swarm(raw), shell).nodes
        raw["images"] = {n.id: sorted(n.images) for n in nodes if n.images is not None}
    if output is None:
        console.emit_json(raw)
        return
    try:
        write_whole(output, json.dumps(raw, indent=1) + "\n", PRIVATE)
    except OSError as fault:
        raise SwarmctlError(f"cannot write {output}: {fault.strerror}") from fault
    console.note(f"{output}: {len(raw['nodes'])} nodes, {len(raw['tasks'])} tasks")
