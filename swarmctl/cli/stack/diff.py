"""``swarmctl stack diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption, HostOption, SetOption, ValuesOption
from swarmctl.cli.stack.options import (
    AuthOption,
    ComposeFileOption,
    NameOption,
    PruneOption,
    ResolveOption,
    SecretOption,
    StackArgument,
)
from swarmctl.errors import Exit


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
    from swarmctl.cli.show.deploy import deploy_progress
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
    with deploy_progress() as progress:
        for line in source.notes:
            progress.note(line)
        found = preview(resolve(cluster, host), source, options, progress)
    lines = found.lines()
    for line in lines:
        console.emit(line)
    for secret in found.unchecked_secrets():
        console.note(f"note: only a deploy can compare the content of the secret {secret}")
    return int(Exit.FAILED if lines and exit_code else Exit.OK)
