"""A lab as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.table import Table
from rich.text import Text

from swarmctl.lab.instances import ListedInstance
from swarmctl.lab.lab import LabStatus


def lab_table(status: LabStatus, instances: Iterable[ListedInstance]) -> Group | Text:
    """The lab's API and mirror, and each instance with the state of its machine."""
    if not status.endpoint:
        left = f"{len(status.machines)} machine(s) left behind"
        return Text(f"lab {status.name} is not up; {left}: swarmctl lab down --name {status.name}")
    head = Text(
        f"lab {status.name}: AWS API {status.endpoint} (process {status.pid}), "
        f"image mirror {status.mirror or 'missing'}"
    )
    table = Table("instance", "name", "state", "address", "zone", "machine", box=None)
    notes = []
    for row in instances:
        container = status.machines.get(row.id, "none")
        table.add_row(row.id, row.name, row.state, row.ip, row.zone, container)
        if "InternalError" in row.reason:
            notes.append(Text(f"{row.name or row.id} ({row.id}): {row.reason}"))
    return Group(head, table if table.row_count else Text("no instances"), *notes)
