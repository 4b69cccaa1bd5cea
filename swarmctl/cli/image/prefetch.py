"""``swarmctl image prefetch``: images on every node that may have to run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, HostOption, time_option
from swarmctl.errors import Exit

if TYPE_CHECKING:
    from swarmctl.prefetch.pull import Pulled


def prefetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STACK|SERVICE]…",
            help="Whose images.  [default: all services]",
            autocompletion=completion.stacks,
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be pulled where; pull nothing.")
    ] = False,
    timeout: Annotated[
        float, time_option("--timeout", "How long the pulls of a node may take, for example 90s.")
    ] = 120,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Pull every image of the services on every node that may have to run it.

    A dead node's replicas then start elsewhere without a registry. A service that names its image
    by digest gets exactly that image. Credentials are this machine's (ECR, or Docker's
    configuration); no node keeps them.

    Exit code: 0 every node has every image, 1 a node could not be reached or a pull failed (the
    others were served), 2 wrong input.
    """
    from swarmctl.cluster import resolve
    from swarmctl.prefetch.pull import pull_all
    from swarmctl.prefetch.survey import chosen, survey
    from swarmctl.stack.deploy.images import local_credentials

    target = resolve(cluster, host)
    with target.failover() as connection:
        swarm = connection.snapshot()
    found = survey(target, swarm, chosen(swarm, names or ()))
    for node, why in found.unreachable.items():
        console.error(f"{node}: not asked: {why}")
    if dry_run:
        for pull in found.todo:
            console.emit(f"{pull.node} would pull {pull.image} for {', '.join(pull.services)}")
        return int(Exit.FAILED if found.unreachable else Exit.OK)
    done = pull_all(found.todo, target.nodes(), local_credentials(), timeout_s=timeout, note=_note)
    failed = [pulled for pulled in done if pulled.fault]
    console.emit(
        f"{len(done) - len(failed)} pulled, {found.present} already there"
        + (f", {len(failed)} failed" if failed else "")
    )
    return int(Exit.FAILED if failed or found.unreachable else Exit.OK)


def _note(done: Pulled) -> None:
    if done.fault:
        console.error(f"{done.pull.node}: {done.pull.image}: {done.fault}")
    else:
        console.note(f"{done.pull.node}: {done.pull.image} after {done.seconds:.1f} s")
