"""``swarmctl lab env``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.lab.options import NameOption


def env(name: NameOption = "lab") -> None:
    """Print the variables that point a shell at the lab: eval "$(swarmctl lab env)"."""
    from swarmctl.lab import lab

    console.emit(lab.shell_exports(lab.environment(name)))
