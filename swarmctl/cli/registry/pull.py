"""``swarmctl registry pull``: an image that is no service's, on nodes."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption
from swarmctl.errors import Exit


def pull(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="As the nodes name it.")],
    nodes: Annotated[list[str], typer.Argument(metavar="NODE…", help="Where.")],
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Pull an image on nodes with this machine's credentials, which are on no disk there.

    Exit code: 0 all have it, 1 a pull failed, 2 wrong input. For images of services, there is
    `swarmctl image prefetch`.
    """
    from swarmctl.cluster import resolve
    from swarmctl.prefetch.plan import Pull
    from swarmctl.prefetch.pull import pull_all
    from swarmctl.reading.names import unknown
    from swarmctl.stack.deploy.images import local_credentials

    known = resolve(cluster, host).nodes()
    for node in nodes:
        if node not in known:
            raise unknown("node", node, known)
    done = pull_all([Pull(node, image, ()) for node in nodes], known, local_credentials())
    for pulled in done:
        if pulled.fault:
            console.error(f"{pulled.pull.node}: {image}: {pulled.fault}")
        else:
            console.note(f"{pulled.pull.node}: {image} after {pulled.seconds:.1f} s")
    return int(Exit.FAILED if any(pulled.fault for pulled in done) else Exit.OK)
