"""A lab as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.text import Text

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, table
from swarmctl.lab.instances import ListedMachine
from swarmctl.lab.lab import LabStatus


def lab_table(status: LabStatus, listed: Iterable[ListedMachine]) -> Group | Text:
    """The lab's API and mirror, and each instance and load balancer with its machine's state."""
    if not status.endpoint:
        left = f"{len(status.machines)} machine(s) left behind"
        return Text(f"lab {status.name} is not up; {left}: swarmctl lab down --name {status.name}")
    head = Text(
        f"lab {status.name}: AWS API {status.endpoint} (process {status.pid}), "
        f"image mirror {status.mirror or 'missing'}"
    )
    columns = [Column(n) for n in ("name", "instance", "state", "address", "zone", "machine")]
    found = list(listed)
    if not found:
        return Group(head, Text("no instances"))
    rows = [
        (r.name or r.id, r.id, r.state, r.ip, r.zone, status.machines.get(r.id, "none"))
        for r in found
    ]
    notes = [
        Text(f"{r.name or r.id} ({r.id}): {r.reason}") for r in found if "InternalError" in r.reason
    ]
    return Group(head, table("", columns, rows, console.out().width), *notes)
