"""``swarmctl node remove``: let nodes leave the Swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.leaving import Options, let_leave
from swarmctl.cli.moving import CloudMapOption, LoadBalancerOption
from swarmctl.cli.node.drain import NodesArgument, TimeoutOption
from swarmctl.cli.options import ClusterOption, HostOption, YesOption
from swarmctl.errors import UsageError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.membership.plan import RemovalPlan
    from swarmctl.swarm.model import Swarm
    from swarmctl.swarm.shell import Shells


def remove(
    nodes: NodesArgument,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")
    ] = False,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove them even if something would be lost or wait.")
    ] = False,
    reinstalled: Annotated[
        bool,
        typer.Option(
            "--reinstalled",
            help="Remove only the old entries of a reinstalled machine, not the machine itself.",
        ),
    ] = False,
    absent_ok: Annotated[
        bool, typer.Option("--absent-ok", help="It is no error if a node is not a member.")
    ] = False,
    timeout: TimeoutOption = 120,
    load_balancer: LoadBalancerOption = True,
    cloud_map: CloudMapOption = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Let nodes leave the Swarm for good: drain, demote, leave, remove. Machines are not touched.

    A manager is demoted only while a majority of the others can be reached; the leader goes last.
    A run that was stopped goes on when it is given again. Exit codes: 0 done; 1 not finished; 3
    refused, nothing was changed; 130 interrupted.
    """
    options = Options(dry_run, yes, force, timeout, cluster, host, load_balancer, cloud_map)

    def plan(swarm: Swarm, target: Target, shells: Shells | None) -> RemovalPlan:
        from swarmctl.membership.machine import left_behind
        from swarmctl.membership.plan import entries, plan_removal

        del target
        ids = entries(swarm, nodes, absent_ok=absent_ok)
        if not ids:
            console.emit(f"{', '.join(nodes)}: not in the Swarm")
        if not reinstalled:
            return plan_removal(swarm, ids)
        if shells is None:
            raise UsageError("--reinstalled asks the machine", "leave out --host")
        left = left_behind(shells, [node for node in swarm.nodes if node.id in ids])
        return plan_removal(swarm, left, left, gone=True)

    let_leave(options, plan)
