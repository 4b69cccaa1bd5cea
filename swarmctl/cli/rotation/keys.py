"""``swarmctl rotate ssh-key`` and ``secrets``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, RegistryOption, time_option
from swarmctl.cli.rotation.output import DryRunOption, show
from swarmctl.cli.stack.deploy import AuthOption


def ssh_key(dry_run: DryRunOption = False, cluster: ClusterOption = None) -> None:
    """A new SSH key for all nodes, and for the nodes that are made later.

    The old key is removed when the new one has been tried on every node and recorded. A rotation
    that was stopped goes on. Other machines with a copy of the cluster's state directory need the
    new key. Exit codes: 0 done; 1 a node did not answer or accept it; 3 refused, nothing was
    changed.
    """
    from swarmctl.cluster import resolve
    from swarmctl.rotation import ssh_key as rotation

    lines = rotation.rotate(resolve(cluster), dry_run=dry_run, note=console.note)
    show(lines, dry_run=dry_run)


def secrets(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STACK]…",
            help="Names of stacks.  [default: all that are deployed and have a rotation.yml]",
            autocompletion=completion.stacks,
            show_default=False,
        ),
    ] = None,
    wait: Annotated[float, time_option("--wait", "How long each deploy may take.")] = 300,
    registry: RegistryOption = "",
    registry_auth: AuthOption = False,
    dry_run: DryRunOption = False,
    cluster: ClusterOption = None,
) -> None:
    """New values for the stacks' secrets, without losing a request.

    The stack's rotation.yml says how. A rotation that was stopped goes on. Exit codes: 0 done; 1 a
    step failed, the former secret is still valid; 3 refused.
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.rotation import stack_secrets as rotation
    from swarmctl.stack.deploy.deploy import DeployOptions
    from swarmctl.stack.render.source import choose_source

    target = resolve(cluster)
    options = DeployOptions(wait=wait, registry=registry, registry_auth=registry_auth)
    lines: list[str] = []
    with deploy_progress() as progress:
        for name in stacks or rotation.rotatable(target):
            choice = choose_source(name)
            lines += rotation.rotate(target, choice, options, progress, dry_run=dry_run)
    show(lines, dry_run=dry_run)
