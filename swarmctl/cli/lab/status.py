"""``swarmctl lab status``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.lab.options import NameOption


def status(name: NameOption = "lab") -> None:
    """Show the AWS API, the image mirror and every instance with its machine."""
    from swarmctl.cli.show.lab import lab_table
    from swarmctl.lab import instances, lab

    found = lab.status(name)
    console.out().print(lab_table(found, instances.listed(name) if found.endpoint else ()))
