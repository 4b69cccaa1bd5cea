"""``swarmctl lab up``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.lab.options import NameOption, step


def up(name: NameOption = "lab") -> None:
    """Start a lab: images, image mirror, AWS API. The first start also builds the images."""
    from swarmctl.lab import lab

    endpoint = lab.up(name, step, console.note)
    flag = "" if name == "lab" else f" --name {name}"
    console.note(f'lab {name} is up at {endpoint}; use it with: eval "$(swarmctl lab env{flag})"')
