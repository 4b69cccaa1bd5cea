"""``swarmctl lab down``."""

from __future__ import annotations

from swarmctl.cli.lab.options import NameOption, step


def down(name: NameOption = "lab") -> None:
    """Remove a lab: machines, networks, volumes, process, files. The images stay."""
    from swarmctl.lab import lab

    lab.down(name, step)
