"""What the lab commands share: the option ``--name``, and how their steps are shown."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from swarmctl.cli import console

NameOption = Annotated[
    str,
    typer.Option(
        "--name", metavar="LAB", envvar="SWARMCTL_LAB", help="The lab; several can run at once."
    ),
]


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print that a step has begun, then how it ended."""
    started = time.monotonic()
    console.note(f"• {title} …")
    try:
        yield
    except BaseException:
        console.note(f"✗ {title}")
        raise
    console.note(f"✓ {title} ({time.monotonic() - started:.1f} s)")
