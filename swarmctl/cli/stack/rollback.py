"""``swarmctl stack rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, DeployedArgument, HostOption, time_option
from swarmctl.cli.stack.deploy import SettleOption


def rollback(
    stack: DeployedArgument,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]…",
            help="Only these.  [default: all that have a former version]",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
    ] = False,
    wait: Annotated[
        float, time_option("--wait", "How long it may take, for example 90s or 2m.")
    ] = 120,
    settle: SettleOption = 2,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Bring services back to the version before their last change, and wait until it runs.

    Each service goes back to its own former version, as with `docker service rollback`; but this
    also works after `swarmctl registry refresh`, and with new pull credentials. The services are
    updated as their update_config says. Repeated, it goes forward again.

    Exit code: 0 the former version runs, or none is known; 1 it does not run; 2 wrong input; 3
    another process is deploying this stack.
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.stack.go_back import go_back

    with deploy_progress() as progress:
        lines = go_back(
            resolve(cluster, host),
            stack,
            services or (),
            timeout=wait,
            settle=settle,
            dry_run=dry_run,
            note=console.note,
            progress=progress.services,
        )
    for line in lines:
        console.emit(line)
    if not lines:
        console.note(f"{stack}: no former version is known")
