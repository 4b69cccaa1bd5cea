"""``swarmctl discovery sync``: bring what is in AWS in line with the Swarm, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, load_balancer_option

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.discovery.listeners.aws import Aws

CLOUD_MAP_HELP = "A Cloud Map namespace, which must exist."
LoadBalancerOption = Annotated[bool, load_balancer_option("Include")]


def sync(
    cloud_map: Annotated[
        str | None,
        typer.Option("--cloud-map", metavar="NAMESPACE", help=CLOUD_MAP_HELP),
    ] = None,
    load_balancer: LoadBalancerOption = True,
    once: Annotated[
        bool, typer.Option("--once", help="Once; the default. `discovery run` goes on.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the changes; write nothing.")
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Bring the load balancer and Cloud Map in line with what serves, with the least changes.

    What another owner made or registered is never touched.
    """
    del once
    from swarmctl.cli.discovery.show import reader
    from swarmctl.cluster import resolve
    from swarmctl.discovery.sync import sync as bring_in_line
    from swarmctl.errors import UsageError

    target = resolve(cluster, host)
    aws = in_aws(target, cluster, cloud_map, load_balancer=load_balancer)
    if not aws:
        raise UsageError(
            "there is nowhere to publish",
            "add --cloud-map NAMESPACE, or name the cluster whose load balancer is meant: "
            "--cluster NAME",
        )
    with reader(target) as (snapshot, cluster_id):
        lines = bring_in_line(snapshot(), aws, cluster_id, dry_run=dry_run, show=console.emit)
    done = "would be made" if dry_run else "made"
    console.note(f"{len(lines)} changes {done}" if lines else "nothing to change")


def in_aws(
    target: Target, cluster: str | None, cloud_map: str | None, *, load_balancer: bool
) -> Aws:
    """Where to publish in AWS, by a command's options."""
    from swarmctl.cluster import named
    from swarmctl.discovery.listeners.aws import Aws
    from swarmctl.state import outside_aws

    name = named(target, cluster) if load_balancer else ""
    return Aws(cloud_map or "", "" if outside_aws(name) else name)
