"""``swarmctl registry refresh``: pull credentials that last until the next refresh."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson, time_option
from swarmctl.errors import Exit

if TYPE_CHECKING:
    from swarmctl.registry.refresh import Item


def refresh(
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]…", help="Whose credentials.  [default: all]", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be renewed; change nothing.")
    ] = False,
    older_than: Annotated[
        float | None,
        time_option(
            "--older-than",
            "Renew those of this age, for example 6h; 0: all.  [default: half of their life, for "
            "ECR 4h30m to 6h, different for each service]",
            zero=True,
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Renew the credentials with which Swarm's nodes pull the images of services.

    A token of ECR ends after 12 hours; from then on, a dead node's replicas can be started only
    where their image is. No task is restarted. Services whose update is under way or paused are
    left alone. The credentials are those that this machine has: AWS's, or of `docker login`.

    Exit code: 0 no service has old credentials; 1 a service could not be renewed, or was left alone
    and its credentials have ended; 2 wrong input.
    """
    from swarmctl.cluster import resolve
    from swarmctl.registry.refresh import refresh
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    age = None if older_than is None else timedelta(seconds=older_than)
    with resolve(cluster, host).failover() as connection:
        engine = Patient(SwarmEngine(connection), 20, console.note)
        items = refresh(engine, services or (), older_than=age, dry_run=dry_run)
    if format_ == Format.JSON:
        console.emit(json.dumps({"services": [_as_json(item) for item in items]}, indent=2))
    else:
        for item in items:
            console.emit(item.line())
        if not items:
            console.note("no service has an image of a registry that this machine has a login for")
    return int(Exit.FAILED if any(item.bad for item in items) else Exit.OK)


def _as_json(item: Item) -> dict[str, object]:
    return {
        "service": item.service,
        "registry": item.host,
        "result": item.result.value,
        "age_s": item.age.total_seconds() if item.age is not None else None,
        "ended": item.ended,
        "due_in_s": item.due_in.total_seconds() if item.due_in is not None else None,
        "detail": item.detail,
        "remedy": item.remedy,
    }
