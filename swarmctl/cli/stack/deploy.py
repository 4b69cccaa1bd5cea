"""``swarmctl stack deploy`` and ``swarmctl stack diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, SetOption, ValuesOption, time_option
from swarmctl.cli.stack.options import (
    AuthOption,
    ComposeFileOption,
    NameOption,
    PruneOption,
    ResolveOption,
    SecretOption,
    SettleOption,
    StackArgument,
)
from swarmctl.errors import Exit


def deploy(
    stack: StackArgument = "",
    compose_files: ComposeFileOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    name: NameOption = None,
    wait: Annotated[
        float, time_option("--wait", "How long the deploy may take, for example 90s or 2m.")
    ] = 120,
    settle: SettleOption = 2,
    rollback: Annotated[
        bool, typer.Option("--rollback/--no-rollback", help="Roll a failed deploy back.")
    ] = True,
    prune: PruneOption = True,
    resolve_image: ResolveOption = "changed",
    registry_auth: AuthOption = False,
    secrets: SecretOption = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Deploy a stack and wait until it runs. If it does not, roll back to the previous version.

    Exit code: 0 it runs, 1 it failed and the old version serves, 2 wrong input, 3 another process
    is deploying this stack, 4 the old version does not serve as before, 130 interrupted (and
    rolled back).
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import deploy as deploys
    from swarmctl.stack.render.source import load_source

    source = load_source(stack, compose_files or (), values or (), assignments or (), name)
    options = deploys.DeployOptions(
        wait=wait,
        settle=settle,
        rollback=rollback,
        prune=prune,
        resolve=resolve_image,
        registry_auth=registry_auth,
        make_secrets=tuple(secrets or ()),
    )
    with deploys.sigterm_rolls_back(), deploy_progress() as progress:
        for line in source.notes:
            progress.note(line)
        lines = deploys.deploy(resolve(cluster, host), source, options, progress)
    for line in lines:
        console.emit(line)


def diff(
    stack: StackArgument = "",
    compose_files: ComposeFileOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    name: NameOption = None,
    prune: PruneOption = True,
    resolve_image: ResolveOption = "changed",
    registry_auth: AuthOption = False,
    secrets: SecretOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if there is a difference.")
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Show what a deploy would change in the Swarm; change nothing. Secrets are masked."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy.deploy import DeployOptions, preview
    from swarmctl.stack.render.source import load_source

    source = load_source(stack, compose_files or (), values or (), assignments or (), name)
    options = DeployOptions(
        prune=prune,
        resolve=resolve_image,
        registry_auth=registry_auth,
        make_secrets=tuple(secrets or ()),
    )
    for line in source.notes:
        console.note(line)
    lines = preview(resolve(cluster, host), source, options, console.note)
    for line in lines:
        console.emit(line)
    return int(Exit.FAILED if lines and exit_code else Exit.OK)
