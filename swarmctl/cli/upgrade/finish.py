"""``swarmctl upgrade finish``: nodes whose Engine was upgraded take part again."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.moving import CloudMapOption, LoadBalancerOption, mover
from swarmctl.cli.options import ClusterOption, HostOption, time_option
from swarmctl.errors import UsageError


def finish(
    nodes: Annotated[
        list[str],
        typer.Argument(metavar="NODE=VERSION...", help="A node, and the Engine it must run."),
    ],
    short: Annotated[
        list[str] | None,
        typer.Option(
            "--short",
            metavar="SERVICE",
            help="It did not serve in full before: do not wait for it; repeatable.",
        ),
    ] = None,
    timeout: Annotated[
        float,
        time_option("--timeout", "Time for the nodes, and for the replicas."),
    ] = 180,
    load_balancer: LoadBalancerOption = True,
    cloud_map: CloudMapOption = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Wait until nodes are Ready with their new Engine, and give them back their availability.

    A node that does not come back stays drained. Exit codes: 0 done; 1 not in time; 3 an
    experiment or another move is under way.
    """
    from swarmctl.cluster import resolve
    from swarmctl.prediction.lost_nodes import lost_nodes
    from swarmctl.upgrade.finish import finish as carry_out

    pairs = [word.partition("=") for word in nodes]
    if wrong := [name for name, _, version in pairs if not (name and version)]:
        raise UsageError(f"{wrong[0]!r} has no version", "name each as NODE=VERSION")
    target = resolve(cluster, host)
    with mover(target, cluster, cloud_map, timeout, load_balancer=load_balancer) as (context, _):
        swarm = context.engine.snapshot()
        engines = {lost_nodes(swarm, [name], None)[0]: version for name, _, version in pairs}
        carry_out(engines, context, short or ())
        after = [node for node in context.engine.snapshot().nodes if node.id in engines]
    for node in after:
        console.emit(f"{node.name}: {node.availability}, Engine {node.engine_version}")
