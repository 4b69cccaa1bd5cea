"""``swarmctl stack wait``."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, TimeoutOption
from swarmctl.cli.stack.options import DeployedArgument, SettleOption


def _time(text: str) -> datetime:
    from swarmctl.reading.times import parse_time

    try:
        return parse_time(text)
    except ValueError as fault:
        raise typer.BadParameter(f"{fault}; write it like 2026-01-31T12:00:00Z") from fault


def wait(
    stack: DeployedArgument,
    timeout: TimeoutOption = 120,
    settle: SettleOption = 2,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=_time,
            help="Ignore failed updates that began earlier (RFC 3339).",
        ),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Wait until every service of a deployed stack runs in full, as it was last deployed.

    Exit code: 0 it runs, 1 an update failed or was rolled back, or the time is up; the tasks'
    errors are printed.
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import converge

    started = time.monotonic()
    with resolve(cluster, host).failover() as swarm, deploy_progress() as progress:
        done = converge.wait(
            swarm.snapshot,
            stack,
            timeout=timeout,
            settle=settle,
            since=since,
            progress=progress.services,
        )
    seconds = time.monotonic() - started
    console.emit(f"{stack} has converged after {seconds:.1f} s: {converge.totals(done)}")
