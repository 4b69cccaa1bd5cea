"""The commands of ``swarmctl lab``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from swarmctl.cli import console

app = typer.Typer(no_args_is_help=True)

Name = Annotated[
    str, typer.Option("--name", envvar="SWARMCTL_LAB", help="Which lab; several can be up at once.")
]


@app.callback()
def lab() -> None:
    """A local AWS whose EC2 instances are real machines."""


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Show a step while it is being done and how it ended."""
    started = time.monotonic()
    console.note(f"• {title} …")
    try:
        yield
    except BaseException:
        console.note(f"✗ {title}")
        raise
    console.note(f"✓ {title} ({time.monotonic() - started:.1f} s)")


@app.command()
def up(name: Name = "lab") -> None:
    """Bring the lab up: images, image mirror, AWS API. The first time builds the images."""
    from swarmctl.lab import lab as labs

    endpoint = labs.up(name, step, console.note)
    flag = "" if name == "lab" else f" --name {name}"
    console.note(f'lab {name} is up at {endpoint}; use it with: eval "$(swarmctl lab env{flag})"')


@app.command()
def down(name: Name = "lab") -> None:
    """Take the lab down: machines, networks, volumes, process. Images stay."""
    from swarmctl.lab import lab as labs

    labs.down(name, step)


@app.command()
def env(name: Name = "lab") -> None:
    """Print what a shell needs to use the lab: eval "$(swarmctl lab env)"."""
    from swarmctl.lab import lab as labs

    console.emit(labs.shell_exports(labs.environment(name)))


@app.command()
def status(name: Name = "lab") -> None:
    """Show the AWS API, the image mirror and every instance with its machine."""
    from swarmctl.lab import lab as labs
    from swarmctl.lab import listing

    console.out().print(listing.table(labs.status(name)))


@app.command()
def logs(
    node: Annotated[str, typer.Argument(help="A node's name; without one: the lab itself.")] = "",
    name: Name = "lab",
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="How many lines.")] = 50,
) -> None:
    """Print the end of a machine's console, or of the lab's own log."""
    from swarmctl.lab import listing

    console.emit(listing.log_of(name, node, lines))


@app.command()
def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Install and start what is missing (Debian, Ubuntu; root)."),
    ] = False,
) -> None:
    """Check what the lab needs on this machine; one line each."""
    from swarmctl.lab import doctor as doctors

    if fix:
        doctors.fix(step)
    checks = doctors.examine()
    for check in checks:
        console.emit(check.line())
    if any(check.failed for check in checks):
        raise typer.Exit(1)
