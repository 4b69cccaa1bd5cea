"""``swarmctl node reap``: remove the entries of machines that do not exist any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.leaving import Options, let_leave
from swarmctl.cli.node.drain import TimeoutOption
from swarmctl.cli.options import ClusterOption, YesOption, time_option

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.membership.plan import RemovalPlan
    from swarmctl.swarm.model import Swarm
    from swarmctl.swarm.shell import Shells


def reap(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")
    ] = False,
    yes: YesOption = False,
    grace: Annotated[float, time_option("--grace", "How long a node must have been down.")] = 600,
    timeout: TimeoutOption = 120,
    cluster: ClusterOption = None,
) -> None:
    """Remove the entries of nodes that are down and whose machine does not exist any more.

    A machine exists while EC2 lists an instance with the node's name or address, even a stopped
    one; without EC2, while the inventory has it. Managers are demoted first.
    """

    def plan(swarm: Swarm, target: Target, _: Shells | None) -> RemovalPlan:
        from datetime import timedelta

        from swarmctl.membership.orphans import find_orphans
        from swarmctl.membership.plan import plan_removal
        from swarmctl.reading.times import parse_time

        now = parse_time(swarm.taken_at)
        found = find_orphans(swarm.nodes, target.instances, now, timedelta(seconds=grace))
        for each in found:
            fate = "may go" if each.orphan else "stays"
            console.emit(f"{each.node.name} ({each.node.id}) is down, {fate}: {each.why}")
        if not found:
            console.emit("no node is down")
        return plan_removal(swarm, [f.node.id for f in found if f.orphan], gone=True)

    let_leave(Options(dry_run, yes, False, timeout, cluster, None), plan)
