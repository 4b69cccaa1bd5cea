"""A lab as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.text import Text

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, table
from swarmctl.lab.control import Registry, Traffic
from swarmctl.lab.instances import ListedMachine
from swarmctl.lab.lab import LabStatus


def lab_table(
    status: LabStatus, listed: Iterable[ListedMachine], traffic: Traffic | None = None
) -> Group | Text:
    """The lab's API and mirror, and each instance and load balancer with its machine's state."""
    if not status.endpoint:
        left = f"{len(status.machines)} machine(s) left behind"
        return Text(f"lab {status.name} is not up; {left}: swarmctl lab down --name {status.name}")
    head = Text(
        f"lab {status.name}: AWS API {status.endpoint} (process {status.pid}), "
        f"registry of ECR {status.registry or 'missing'}, image mirror {status.mirror or 'missing'}"
    )
    if traffic is not None:
        head.append(f"\n{_summary(traffic)}")
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


def _summary(traffic: Traffic) -> str:
    number = sum(calls.number for calls in traffic.calls)
    refused = sum(calls.number for calls in traffic.calls if calls.outcome != "passed")
    return f"{number} calls in {traffic.seconds / 60:.0f} min, {refused} of them refused"


def registry_lines(registry: Registry) -> str:
    """How ECR's registry is set."""
    limits = [
        "no limit" if size is None else f"{size} bytes" for size in (registry.room, registry.layer)
    ]
    ended = f"; {registry.ended} ended now" if registry.ended else ""
    return (
        f"registry: {registry.address}\n"
        f"new passwords: good for {registry.token_life_s:g} s{ended}\n"
        f"room for layers: {limits[0]}\n"
        f"largest layer: {limits[1]}"
    )


def calls_table(traffic: Traffic) -> Group:
    """Every caller's calls, and how many that makes an hour."""
    columns = [
        Column("caller"),
        Column("action"),
        Column("outcome"),
        Column("calls", right=True),
        Column("an hour", right=True),
    ]
    hours = max(traffic.seconds, 1.0) / 3600
    rows = [
        (c.caller, c.action, c.outcome, f"{c.number}", f"{c.number / hours:.0f}")
        for c in traffic.calls
    ]
    return Group(Text(_summary(traffic)), table("", columns, rows, console.out().width))


def calls_as_data(traffic: Traffic) -> dict[str, Any]:
    """The same for programs."""
    return {"seconds": traffic.seconds, "calls": [asdict(c) for c in traffic.calls]}
