"""``swarmctl stack``: render a stack, list the stacks, wait for a deployed one.

Deploying and removing are in ``stack_deploy`` and ``stack_remove``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import console
from swarmctl.cli.options import (
    ClusterOption,
    HostOption,
    SetOption,
    TimeoutOption,
    ValuesOption,
)
from swarmctl.cli.stack import deploy as stack_deploy
from swarmctl.cli.stack import lint as stack_lint
from swarmctl.cli.stack import remove as stack_remove
from swarmctl.cli.stack.options import DeployedArgument
from swarmctl.errors import Exit

app = typer.Typer(
    no_args_is_help=True, help="Render, check, deploy and remove stacks; wait for them."
)
app.command(name="lint")(stack_lint.lint)
app.command(name="deploy")(stack_deploy.deploy)
app.command(name="diff")(stack_deploy.diff)
app.command(name="rm")(stack_remove.rm)
app.command(name="prune")(stack_remove.prune)
app.command(name="unlock")(stack_remove.unlock)


@app.command(name="list")
def list_stacks() -> None:
    """Name the stacks that can be rendered."""
    from swarmctl.stack.render import render

    names = render.stack_names()
    if not names:
        console.note(f"no stacks in {render.stacks_dir()}")
    for name in names:
        console.emit(name)


@app.command(name="render")
def render_stack(
    stack: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A stack's name or folder.")],
    values: ValuesOption = None,
    assignments: SetOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Write there (a *.yml, or a folder), with the files that belong beside it.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 if --output is out of date."),
    ] = False,
) -> None:
    """Fill in a stack's template; print the compose file, or write it with all it needs."""
    from swarmctl.stack.render import render
    from swarmctl.stack.render import values as layers

    files, overrides = values or [], layers.parse_set(assignments or [])
    folder = render.find_stack(stack)
    for line in layers.strangers(folder, files, overrides):
        console.note(f"note: {line}")
    rendered = render.render_stack(folder, files, overrides)
    if check:
        _check(rendered, output)
    elif output is not None:
        for path in render.write(rendered, output):
            console.note(f"wrote {path}")
    else:
        console.emit(rendered.compose)
        if rendered.files:
            console.note(f"note: it needs {', '.join(rendered.files)} beside it; see --output")


@app.command(name="wait")
def wait_for_stack(
    stack: DeployedArgument,
    timeout: TimeoutOption = 120,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0, metavar="S", help="Seconds the final state must hold."),
    ] = 2,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Failed updates that began before (RFC 3339) are of no account."
        ),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Wait until every service of a deployed stack runs in full, as it was deployed last.

    Exits 1, with the tasks' errors, when an update fails or is rolled back, or the time is up.
    """
    from swarmctl.cluster import resolve
    from swarmctl.errors import UsageError
    from swarmctl.reading.times import parse_time
    from swarmctl.stack.deploy import converge

    try:
        moment = parse_time(since) if since else None
    except ValueError as fault:
        raise UsageError(
            f"cannot read --since: {fault}", "write it like 2026-01-31T12:00:00Z"
        ) from fault
    started = time.monotonic()
    with resolve(cluster, host).failover() as swarm, console.progress_line() as show:

        def progress(judgements: list[converge.Judgement]) -> None:
            show(f"{stack}: " + ", ".join(map(str, judgements)))

        done = converge.wait(
            swarm, stack, timeout=timeout, settle=settle, since=moment, progress=progress
        )
    total = ", ".join(f"{j.service} {j.ready}/{j.wanted}" for j in done)
    console.emit(f"{stack} has converged after {time.monotonic() - started:.1f} s: {total}")


def _check(rendered: object, output: Path | None) -> None:
    from swarmctl.errors import UsageError
    from swarmctl.stack.render import render

    if output is None:
        raise UsageError("--check needs --output", "name the rendered file to compare with")
    assert isinstance(rendered, render.Rendered)
    stale = render.outdated(rendered, output)
    for path in stale:
        console.note(f"out of date: {path}")
    if stale:
        console.note("the same command without --check writes it anew")
    raise typer.Exit(int(Exit.FAILED if stale else Exit.OK))
