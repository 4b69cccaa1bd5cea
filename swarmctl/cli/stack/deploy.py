"""``swarmctl stack deploy``, ``diff`` and ``wait``."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import (
    ClusterOption,
    ComposeFileOption,
    DeployedArgument,
    HostOption,
    RegistryOption,
    SetOption,
    TimeoutOption,
    ValuesOption,
    read_assignments,
    time_option,
)
from swarmctl.errors import Exit

StackArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH",
        help="A stack's name, folder or compose file; with -c, the name to deploy under.",
        autocompletion=completion.stack_sources,
        show_default=False,
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Name of the deployed stack.  [default: the stack's]"
    ),
]
RecordedOption = Annotated[
    bool,
    typer.Option(
        "--recorded/--no-recorded",
        help="Use the values of the last deploy, too; those given here win.",
    ),
]
PruneOption = Annotated[
    bool,
    typer.Option("--prune/--no-prune", help="Remove services that are no longer in the file."),
]
ResolveOption = Annotated[
    Literal["always", "changed", "never"],
    typer.Option(
        "--resolve-image",
        metavar="WHEN",
        help="When to ask the registry for an image's digest: always, changed (if the image's "
        "name has changed) or never.",
    ),
]
AuthOption = Annotated[
    bool,
    typer.Option(
        "--with-registry-auth", help="Send this machine's Docker credentials to the nodes."
    ),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--make-secret",
        metavar="NAME",
        help="Create this external secret with a random value if it does not exist; repeatable.",
    ),
]
SettleOption = Annotated[
    float,
    time_option("--settle", "How long the stack must stay converged, for example 2s.", zero=True),
]


def deploy(
    stack: StackArgument = "",
    compose_files: ComposeFileOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    recorded: RecordedOption = True,
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
    registry: RegistryOption = "",
    secrets: SecretOption = None,
    prefetch: Annotated[
        bool | None,
        typer.Option(
            "--prefetch/--no-prefetch",
            help="Pull the images on every node that may run them, before the tasks are made.  "
            "[default: if it takes at most 40 pulls]",
            show_default=False,
        ),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Deploy a stack and wait until it runs. If it does not, roll back to the previous version.

    Exit code: 0 it runs and its published ports answer, 1 it failed and the old version serves, 2
    wrong input, 3 refused (another process is deploying this stack, or the nodes have no routing
    mesh), 4 the old version does not serve as before, 130 interrupted (and
    rolled back).
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import deploy as deploys
    from swarmctl.stack.render.source import choose_source

    choice = choose_source(
        stack, compose_files or (), values or (), read_assignments(assignments), name
    )
    options = deploys.DeployOptions(
        wait=wait,
        settle=settle,
        rollback=rollback,
        prune=prune,
        resolve=resolve_image,
        recorded=recorded,
        registry_auth=registry_auth,
        registry=registry,
        make_secrets=tuple(secrets or ()),
        prefetch=prefetch,
    )
    with deploy_progress() as progress:
        lines = deploys.deploy(resolve(cluster, host), choice, options, progress)
    for line in lines:
        console.emit(line)


def diff(
    stack: StackArgument = "",
    compose_files: ComposeFileOption = None,
    values: ValuesOption = None,
    assignments: SetOption = None,
    recorded: RecordedOption = True,
    name: NameOption = None,
    prune: PruneOption = True,
    resolve_image: ResolveOption = "changed",
    registry_auth: AuthOption = False,
    registry: RegistryOption = "",
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
    from swarmctl.stack.render.source import choose_source

    choice = choose_source(
        stack, compose_files or (), values or (), read_assignments(assignments), name
    )
    options = DeployOptions(
        prune=prune,
        resolve=resolve_image,
        recorded=recorded,
        registry_auth=registry_auth,
        registry=registry,
        make_secrets=tuple(secrets or ()),
    )
    lines = preview(resolve(cluster, host), choice, options, console.note)
    for line in lines:
        console.emit(line)
    return int(Exit.FAILED if lines and exit_code else Exit.OK)


def _time(text: str) -> datetime:
    from swarmctl.reading.times import parse_time

    try:
        return parse_time(text)
    except ValueError as fault:
        raise typer.BadParameter(f"{fault}; write it like 2026-01-31T12:00:00Z") from fault


def wait(
    stack: DeployedArgument,
    timeout: TimeoutOption = 120,
    settle: SettleOption = 2,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=_time,
            help="Ignore failed updates that began earlier (RFC 3339).",
        ),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Wait until every service of a deployed stack has all replicas up in its latest version.

    Exit code: 0 it runs, 1 an update failed or was rolled back, or the timeout expired; the tasks'
    errors are printed.
    """
    from swarmctl.cli.show.deploy import deploy_progress
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy import converge

    started = time.monotonic()
    with resolve(cluster, host).failover() as swarm, deploy_progress() as progress:
        done = converge.wait(
            swarm.snapshot,
            stack,
            timeout=timeout,
            settle=settle,
            since=since,
            progress=progress.services,
        )
    seconds = time.monotonic() - started
    console.emit(f"{stack} has converged after {seconds:.1f} s: {converge.totals(done)}")
