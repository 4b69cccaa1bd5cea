"""``swarmctl node drain``: empty nodes without losing a request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.moving import CloudMapOption, LoadBalancerOption, mover
from swarmctl.cli.options import (
    ClusterOption,
    Format,
    HostOption,
    TableOrJson,
    YesOption,
    time_option,
)
from swarmctl.errors import RefusedError, SwarmctlError, UsageError

if TYPE_CHECKING:
    from swarmctl.moves.drain import Drained
    from swarmctl.moves.plan import DrainPlan

NodesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NODE...",
        help="Full or short names (wkr2), or ids.",
        autocompletion=completion.nodes,
    ),
]
TimeoutOption = Annotated[float, time_option("--timeout", "Time for replicas to run elsewhere.")]


def drain(
    nodes: NodesArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would move where; change nothing.")
    ] = False,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Drain even if something would be lost or wait.")
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait/--no-wait", help="Wait until every replica serves elsewhere."),
    ] = True,
    remember: Annotated[
        bool,
        typer.Option(
            "--remember",
            help="Note each node's availability in a label first, for `activate --as-before`; a "
            "node that is drained already stays as it is.",
        ),
    ] = False,
    timeout: TimeoutOption = 120,
    load_balancer: LoadBalancerOption = True,
    cloud_map: CloudMapOption = None,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Empty nodes without losing a request: clients leave first, then the tasks move.

    Predicts where every replica goes; withdraws the nodes' endpoints from all that clients ask;
    waits out the draining time; then Swarm moves the tasks. A run that was stopped goes on when it
    is given again; `swarmctl node activate` undoes it. Exit codes: 0 done; 1 not finished; 3 it
    would lose something, or an experiment is under way; 130 interrupted.
    """
    if dry_run and yes:
        raise UsageError("--dry-run and --yes exclude each other")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("stdin is not a terminal", "pass --dry-run or --yes")
    from swarmctl.cluster import resolve
    from swarmctl.moves.drain import drain as carry_out
    from swarmctl.moves.drain import refuse_if_objected
    from swarmctl.moves.earlier import stays_drained
    from swarmctl.moves.plan import plan_drain
    from swarmctl.prediction.lost_nodes import lost_nodes
    from swarmctl.reading.commands import word
    from swarmctl.swarm.snapshot import read_swarm

    target = resolve(cluster, host)
    with mover(target, cluster, cloud_map, timeout, load_balancer=load_balancer) as (context, _):
        swarm = read_swarm(context.engine)
        ids = lost_nodes(swarm, nodes, None)
        chosen = [node for node in swarm.nodes if node.id in ids]
        kept = {node.id for node in chosen if remember and stays_drained(node)}
        plan = plan_drain(swarm, [id_ for id_ in ids if id_ not in kept])
        done = None
        for node in chosen:
            if node.id in kept:
                console.note(f"{node.name}: was drained before, and stays as it is")
        if format_ is Format.TABLE or dry_run:
            _show(plan, None, format_)
        refuse_if_objected(plan, force=force)
        if not dry_run:
            names = ", ".join(node.name for node in chosen)
            if not yes and not typer.confirm(f"Drain {names}?", err=True):
                console.note("nothing was changed")
                return
            try:
                done = carry_out(plan, context, wait=wait, noted=chosen if remember else ())
            except RefusedError:
                raise
            except SwarmctlError:
                undo = " ".join(word(node.name) for node in chosen)
                undo = f"--as-before {undo}" if remember else undo
                console.note(f"the same command goes on; to undo: swarmctl node activate {undo}")
                raise
            _show(plan, done, format_)


def _show(plan: DrainPlan, done: Drained | None, format_: Format) -> None:
    if format_ is Format.JSON:
        from swarmctl.moves.as_json import as_json

        console.emit_json(as_json(plan, done))
        return
    from swarmctl.cli.show.node import show_drained, show_plan

    if done:
        show_drained(done)
    else:
        show_plan(plan)
