"""``swarmctl rebalance``: fill a node that came back empty."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.moving import CloudMapOption, LoadBalancerOption, mover
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson, YesOption
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.chaos.run.interrupts import Interrupts
    from swarmctl.moves.context import Context
    from swarmctl.rebalance.execute import Result
    from swarmctl.rebalance.plan import Proposal

app = typer.Typer()


@app.command()
def rebalance(
    services: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            metavar="NAME",
            help="Only this service; repeatable.",
            autocompletion=completion.services,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the moves; change nothing.")
    ] = False,
    yes: YesOption = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1, metavar="S", help="Seconds to wait until a new replica runs."
        ),
    ] = 120,
    load_balancer: LoadBalancerOption = True,
    cloud_map: CloudMapOption = None,
    format_: TableOrJson = Format.TABLE,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Spread replicas evenly after a node has come back; never run fewer than wanted.

    Adds a replica, waits until it serves, sends clients away from where one is removed, removes
    one; repeats until eligible nodes differ by at most one replica. Exit codes: 0 done, or nothing
    to do; 1 not finished; 3 a node is down or an experiment is under way; 4 a service still has an
    extra replica; 130 interrupted, and put back.
    """
    if dry_run and yes:
        raise UsageError("--dry-run and --yes exclude each other")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("stdin is not a terminal", "pass --dry-run or --yes")
    from swarmctl.cluster import resolve

    target = resolve(cluster, host)
    moving = mover(target, cluster, cloud_map, timeout, load_balancer=load_balancer)
    raise typer.Exit(int(_run(moving, services or [], dry_run, yes, format_)))


def _run(
    moving: AbstractContextManager[tuple[Context, Interrupts]],
    names: list[str],
    dry_run: bool,
    yes: bool,
    format_: Format,
) -> Exit:
    from swarmctl.rebalance.execute import execute
    from swarmctl.rebalance.plan import propose
    from swarmctl.rebalance.precheck import refuse_unless_ready
    from swarmctl.swarm.snapshot import read_swarm

    with moving as (context, interrupts):
        swarm = read_swarm(context.engine)
        refuse_unless_ready(context.engine, swarm)
        proposals = propose(swarm, names)
        moves = sum(len(p.moves) for p in proposals)
        if dry_run or not moves:
            _show(proposals, {}, format_)
            return Exit.OK
        if not yes:
            if format_ is Format.TABLE:
                _show(proposals, {}, format_)
            if not typer.confirm(f"Move {moves}?", err=True):
                console.note("nothing was changed")
                return Exit.OK
        interrupts.careful()
        results = execute(proposals, context)
    _show(proposals, {result.proposal.id: result for result in results}, format_)
    return Exit.FAILED if any(result.problem for result in results) else Exit.OK


def _show(proposals: Sequence[Proposal], results: Mapping[str, Result], format_: Format) -> None:
    if format_ is Format.JSON:
        from swarmctl.rebalance.as_json import as_json

        console.emit_json(as_json(proposals, results))
        return
    from swarmctl.cli.show.rebalance import show_rebalance

    show_rebalance(proposals, results)
