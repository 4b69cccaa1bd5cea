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
    """Write nodes, services, tasks and networks as the Engine API's JSON.

    It contains the services' environment variables, so only you can read the file.
    """
    from swarmctl.cluster import resolve
    from swarmctl.reading.files import PRIVATE, write_whole
    from swarmctl.swarm.snapshot import take_snapshot

    with resolve(cluster, host).connect() as client:
        raw = take_snapshot(client)
    if output is None:
        console.emit_json(raw)
        return
    try:
        write_whole(output, json.dumps(raw, indent=1) + "\n", PRIVATE)
    except OSError as fault:
        raise SwarmctlError(f"cannot write {output}: {fault.strerror}") from fault
    console.note(f"{output}: {len(raw['nodes'])} nodes, {len(raw['tasks'])} tasks")
