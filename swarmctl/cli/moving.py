"""What a command needs that moves replicas: its options, and the Swarm with those who publish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.discovery.sync import CLOUD_MAP_HELP
from swarmctl.cli.options import load_balancer_option

if TYPE_CHECKING:
    from swarmctl.chaos.run.interrupts import Interrupts
    from swarmctl.cluster import Target
    from swarmctl.moves.context import Context

CloudMapOption = Annotated[
    str | None,
    typer.Option(
        "--cloud-map", metavar="NAMESPACE", help=f"Tell this namespace too. {CLOUD_MAP_HELP}"
    ),
]
LoadBalancerOption = Annotated[bool, load_balancer_option("Tell")]


@contextmanager
def mover(
    target: Target,
    cluster: str | None,
    cloud_map: str | None,
    timeout: float,
    *,
    load_balancer: bool,
) -> Iterator[tuple[Context, Interrupts]]:
    """The Swarm, its publishers and the signals, by a command's options."""
    # A signal ends a move as it ends an experiment: only when nothing is half done.
    from swarmctl.chaos.run.interrupts import Interrupts
    from swarmctl.cli.discovery.sync import in_aws
    from swarmctl.discovery.forgotten.ask_nodes import Whole
    from swarmctl.moves.context import Context
    from swarmctl.moves.publishers import publishers
    from swarmctl.swarm.engine import SwarmEngine
    from swarmctl.swarm.patience import Patient

    with ExitStack() as ends:
        interrupts = ends.enter_context(Interrupts())
        failover = ends.enter_context(target.failover())
        second = ends.enter_context(target.failover())
        failover.client()  # fails at once when no manager can be reached
        engine = Patient(SwarmEngine(failover), timeout, console.note)
        aws = in_aws(target, cluster, cloud_map, load_balancer=load_balancer)
        told = publishers(aws, failover.cluster_id)
        shell = target.shell()
        if shell:
            ends.callback(shell.close)
        context = Context(
            engine,
            interrupts,
            timeout,
            console.note,
            publishers=told,
            renewer=SwarmEngine(second),
            complete=Whole(shell),
        )
        context.swarm()  # what is known now is remembered, should an election hide it later
        yield context, interrupts
