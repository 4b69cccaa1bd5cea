"""``swarmctl node activate``: let nodes take tasks again."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.moving import CloudMapOption, LoadBalancerOption, mover
from swarmctl.cli.node.drain import NodesArgument, TimeoutOption
from swarmctl.cli.options import ClusterOption, HostOption


def activate(
    nodes: NodesArgument,
    as_before: Annotated[
        bool,
        typer.Option(
            "--as-before",
            help="Give each node the availability that `drain --remember` noted.",
        ),
    ] = False,
    timeout: TimeoutOption = 120,
    load_balancer: LoadBalancerOption = True,
    cloud_map: CloudMapOption = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Let drained nodes take tasks again; undo a drain that was stopped.

    Swarm moves nothing back by itself: `swarmctl rebalance` does.
    """
    from swarmctl.cluster import resolve
    from swarmctl.moves.drain import activate as carry_out
    from swarmctl.prediction.lost_nodes import lost_nodes

    target = resolve(cluster, host)
    with mover(target, cluster, cloud_map, timeout, load_balancer=load_balancer) as (context, _):
        swarm = context.engine.snapshot()
        ids = lost_nodes(swarm, nodes, None)
        chosen = [node for node in swarm.nodes if node.id in ids]
        changed = carry_out(chosen, context, as_before=as_before)
        after = {node.id: node.availability for node in context.engine.snapshot().nodes}
    for node in chosen:
        now = after.get(node.id, "removed")
        console.emit(f"{node.name}: {now if node.name in changed else f'was {now} already'}")
    if changed:
        console.note("to fill them again: swarmctl rebalance")
