"""Nodes leave the Swarm: what ``node remove`` and ``node reap`` have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from swarmctl.cli import console
from swarmctl.cli.moving import mover
from swarmctl.errors import RefusedError, SwarmctlError, UsageError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.membership.plan import RemovalPlan
    from swarmctl.swarm.model import Swarm
    from swarmctl.swarm.node import Node
    from swarmctl.swarm.shell import Shells

_CONNECT_S = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """Those of both commands."""

    dry_run: bool
    yes: bool
    force: bool
    timeout: float
    cluster: str | None
    host: str | None
    load_balancer: bool = True
    cloud_map: str | None = None

    def __post_init__(self) -> None:
        """Check what excludes each other.

        Raises:
            UsageError: two options, or no terminal to ask at.
        """
        if self.dry_run and self.yes:
            raise UsageError("--dry-run and --yes exclude each other")
        if not (self.dry_run or self.yes or sys.stdin.isatty()):
            raise UsageError("stdin is not a terminal", "pass --dry-run or --yes")


def let_leave(
    options: Options, make: Callable[[Swarm, Target, Shells | None], RemovalPlan]
) -> None:
    """Plan, show, ask, carry out.

    Args:
        options: the command's.
        make: the plan for a Swarm.
    """
    from swarmctl.cluster import resolve
    from swarmctl.membership.plan import refuse
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.snapshot import read_swarm

    with ExitStack() as ends:
        target = resolve(options.cluster, options.host)
        shells = target.shell()
        if shells:
            ends.callback(shells.close)
        with target.failover() as failover:
            plan = make(read_swarm(SwarmEngine(failover)), target, shells)
        _show(plan)
        refuse(plan, force=options.force)
        if options.dry_run or not plan.nodes:
            return
        names = ", ".join(node.name for node in plan.nodes)
        if not options.yes and not typer.confirm(f"Remove {names}?", err=True):
            console.note("nothing was changed")
            return
        _carry_out(plan, target, shells, options)


def _carry_out(plan: RemovalPlan, target: Target, shells: Shells | None, options: Options) -> None:
    from swarmctl.membership.machine import leave
    from swarmctl.membership.remove import remove
    from swarmctl.swarm.patience import again

    def left(node: Node) -> str:
        if shells is None:
            raise SwarmctlError("with --host, the address of its machine is not known")
        return leave(shells, node)

    options_of_mover = (options.cluster, options.cloud_map, options.timeout)
    staying = _without(target, plan)
    with staying.failover() as failover:  # perhaps one manager only, and it is busy
        again(failover.client, _CONNECT_S, note=console.note)
    with mover(staying, *options_of_mover, load_balancer=options.load_balancer) as (context, _):
        try:
            remove(plan, context, left, force=options.force)
        except RefusedError:
            raise
        except SwarmctlError:
            console.note("the same command goes on; to keep a drained node: swarmctl node activate")
            raise
    for node in plan.nodes:
        console.emit(f"{node.name} ({node.id}): removed from the Swarm")


def _without(target: Target, plan: RemovalPlan) -> Target:
    """The managers that stay: nothing is asked by way of one that goes.

    Raises:
        RefusedError: ``--host`` names one that goes.
    """
    names = {node.hostname for node in plan.nodes}
    addresses = {node.address for node in plan.nodes}
    staying = [e for e in target.endpoints if e.name not in names and e.address not in addresses]
    if not staying:
        raise RefusedError("no manager that stays can be reached", "name one with --host")
    return replace(target, endpoints=tuple(staying))


def _show(plan: RemovalPlan) -> None:
    """Print what would be done, on stdout."""
    from swarmctl.cli.show.node import show_plan

    if plan.drain:
        show_plan(replace(plan.drain, objections=()))
    for node in plan.nodes:
        console.emit(f"to be removed: {node.name} ({node.id}), {node.role}")
    for text in plan.remarks:
        console.emit(text)
    for text in plan.refusals + plan.objections:
        console.emit(f"! {text}")
