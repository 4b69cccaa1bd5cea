"""``swarmctl log-group``: the log groups of the cluster's stacks in CloudWatch."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.consent import require_consent
from swarmctl.cli.options import YesOption

app = typer.Typer(
    no_args_is_help=True, help="Make or remove the log groups of the cluster's stacks."
)

Cluster = Annotated[
    str, typer.Option("--cluster", metavar="NAME", help="Value of the tag swarmctl:cluster.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the changes; write nothing.")]


@app.command()
def create(
    stacks: Annotated[list[str], typer.Argument(metavar="STACK…", help="A group for each.")],
    retention: Annotated[
        int,
        typer.Option(
            "--retention", metavar="DAYS", help="How long events are kept; as CloudWatch has it."
        ),
    ],
    cluster: Cluster,
    dry_run: DryRun = False,
) -> None:
    """Make a log group for each stack, and set how long it keeps its events.

    An existing group keeps its events; one that belongs to another cluster is refused.
    """
    from swarmctl.cloud.logs import Logs
    from swarmctl.logs.groups import ensure, require_retention
    from swarmctl.reading.names import cluster_name

    require_retention(retention)
    _show(ensure(Logs(), cluster_name(cluster), stacks, retention, dry_run=dry_run), dry_run)


@app.command()
def remove(
    cluster: Cluster,
    yes: YesOption = False,
    dry_run: DryRun = False,
) -> None:
    """Delete the log groups that carry the cluster's tag, with all their events."""
    from swarmctl.cloud.logs import Logs
    from swarmctl.logs.groups import remove as delete
    from swarmctl.reading.names import cluster_name

    api, name = Logs(), cluster_name(cluster)
    groups = delete(api, name, dry_run=True)
    if groups and not dry_run:
        if not yes:
            command = f"swarmctl log-group remove --cluster {name} --yes"
            require_consent(groups, "all events", command)
        groups = delete(api, name)
    _show([f"{group}: deleted" for group in groups], dry_run)


def _show(lines: list[str], dry_run: bool) -> None:
    for line in lines:
        console.emit(line)
    if not lines:
        console.note("nothing to change")
    elif dry_run:
        console.note("nothing was changed: --dry-run")
