"""What a person sees of a lab: its instances with their machines, and their logs."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from swarmctl.errors import SwarmctlError
from swarmctl.lab import machine
from swarmctl.lab.lab import LabStatus, ec2_client, engine
from swarmctl.lab.paths import LabPaths
from swarmctl.reading.names import unknown


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of the lab."""

    id: str
    name: str
    state: str
    ip: str
    zone: str
    reason: str


def instances(lab: str) -> tuple[Row, ...]:
    """The instances of a lab, as its own API tells them, terminated ones only when they failed."""
    pages = ec2_client(lab).get_paginator("describe_instances").paginate()
    rows = [
        Row(
            id=i["InstanceId"],
            name=next((t["Value"] for t in i.get("Tags", []) if t["Key"] == "Name"), ""),
            state=i["State"]["Name"],
            ip=i.get("PrivateIpAddress", ""),
            zone=i["Placement"]["AvailabilityZone"],
            reason=i.get("StateTransitionReason", ""),
        )
        for page in pages
        for reservation in page["Reservations"]
        for i in reservation["Instances"]
    ]
    return tuple(r for r in rows if r.state != "terminated" or "InternalError" in r.reason)


def table(status: LabStatus) -> Group | Text:
    """A lab as a table."""
    if not status.endpoint:
        left = f"; {len(status.machines)} machine(s) left behind" if status.machines else ""
        return Text(f"lab {status.name} is not up{left}")
    rows = Table("instance", "name", "state", "address", "zone", "machine", box=None)
    for row in instances(status.name):
        container = status.machines.get(row.id, "none")
        rows.add_row(row.id, row.name, row.state, row.ip, row.zone, container)
    head = Text(
        f"lab {status.name}: AWS API {status.endpoint} (process {status.pid}), "
        f"image mirror {status.mirror or 'missing'}"
    )
    return Group(head, rows) if rows.row_count else Group(head, Text("no instances"))


def log_of(lab: str, node: str, lines: int) -> str:
    """The end of a log.

    Args:
        lab: the lab's name.
        node: an instance's name or id; ``""`` for the lab's own process.
        lines: how many lines.

    Raises:
        UsageError: there is no such node.
        SwarmctlError: the lab has never been up.
    """
    if node:
        rows = instances(lab)
        found = next((r for r in rows if node in (r.id, r.name)), None)
        if found is None:
            raise unknown("node", node, [r.name for r in rows])
        return f"{found.reason}\n".lstrip() + machine.console(engine(), lab, found.id, lines)
    try:
        text = LabPaths(lab).log.read_text()
    except FileNotFoundError:
        raise SwarmctlError(
            f"lab {lab} has no log", f"run `swarmctl lab up --name {lab}`"
        ) from None
    return "\n".join(text.splitlines()[-lines:])
