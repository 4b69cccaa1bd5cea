"""``swarmctl upgrade plan``: which nodes are upgraded together, and in which order."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson
from swarmctl.errors import UsageError


def plan(
    survey: Annotated[
        str,
        typer.Option(
            "--survey",
            metavar="FILE",
            help="What each node runs and will run, as JSON; -: read from stdin.",
        ),
    ],
    batch: Annotated[
        int, typer.Option("--batch", min=1, metavar="N", help="The most workers at a time.")
    ] = 3,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show which nodes are upgraded together and in which order; change nothing.

    Workers that can be away together without a zone, half of a service's replicas or a place for
    each replica being lost; then the managers one at a time; the leader last of all.
    """
    from swarmctl.cli.show.node import show_upgrade
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.snapshot import read_swarm
    from swarmctl.upgrade.as_json import as_json
    from swarmctl.upgrade.plan import plan_upgrade
    from swarmctl.upgrade.survey import read_survey

    surveyed = read_survey(_text(survey))
    with resolve(cluster, host).failover() as failover:
        found = plan_upgrade(read_swarm(SwarmEngine(failover)), surveyed, batch)
    if format_ is Format.TABLE:
        show_upgrade(found, surveyed)
        return
    with redirect_stdout(io.StringIO()) as shown:
        show_upgrade(found, surveyed)
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    console.emit_json(as_json(found, lines))


def _text(source: str) -> str:
    if source == "-":
        return sys.stdin.read()
    try:
        return Path(source).read_text(encoding="utf-8")
    except OSError as fault:
        raise UsageError(f"cannot read {source}: {fault.strerror}") from fault
