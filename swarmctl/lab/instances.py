"""The instances and load balancers of a lab as its API lists them, and their machines' logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from swarmctl.errors import SwarmctlError
from swarmctl.lab import machine
from swarmctl.lab.balancer.elbv2 import balancer_id
from swarmctl.lab.lab import ec2_client, elb_client, engine
from swarmctl.lab.paths import LabPaths
from swarmctl.reading.names import unknown
from swarmctl.reading.texts import clean, one_line


@dataclass(frozen=True, slots=True)
class ListedMachine:
    """One instance or load balancer, as the API describes it."""

    id: str
    name: str
    state: str
    ip: str
    zone: str
    reason: str


def listed(lab: str) -> tuple[ListedMachine, ...]:
    """The instances of a lab, except those that were terminated on request; its load balancers.

    Raises:
        SwarmctlError: the lab is not up, or its API fails.
    """
    try:
        rows = (*_instances(lab), *_load_balancers(lab))
    except (BotoCoreError, ClientError, ResponseParserError) as fault:
        raise SwarmctlError(
            f"the API of the lab {lab} failed: {one_line(str(fault), 500)}",
            f"its log: swarmctl lab logs --name {lab}",
        ) from fault
    return tuple(r for r in rows if r.state != "terminated" or "InternalError" in r.reason)


def _instances(lab: str) -> Iterator[ListedMachine]:
    for page in ec2_client(lab).get_paginator("describe_instances").paginate():
        for i in (i for reservation in page["Reservations"] for i in reservation["Instances"]):
            yield ListedMachine(
                id=i["InstanceId"],
                name=next((t["Value"] for t in i.get("Tags", []) if t["Key"] == "Name"), ""),
                state=i["State"]["Name"],
                ip=i.get("PrivateIpAddress", ""),
                zone=i["Placement"]["AvailabilityZone"],
                reason=i.get("StateTransitionReason", ""),
            )


def _load_balancers(lab: str) -> Iterator[ListedMachine]:
    for page in elb_client(lab).get_paginator("describe_load_balancers").paginate():
        for balancer in page["LoadBalancers"]:
            if balancer["Type"] == "application":
                yield ListedMachine(
                    id=balancer_id(balancer["LoadBalancerArn"]),
                    name=balancer["LoadBalancerName"],
                    state=balancer["State"]["Code"],
                    ip=balancer["DNSName"],
                    zone=min(z["ZoneName"] for z in balancer["AvailabilityZones"]),
                    reason="",
                )


def log_of(lab: str, node: str, lines: int) -> str:
    """The last lines of the console of ``node`` (name or id), or (``""``) of the lab's own log.

    Raises:
        UsageError: there is no such node.
        SwarmctlError: the lab has never been up.
    """
    if node:
        rows = listed(lab)
        found = next((r for r in rows if node in (r.id, r.name)), None)
        if found is None:
            raise unknown("node", node, [r.name for r in rows])
        text = clean(machine.console(engine(), lab, found.id, lines))
        return f"{found.reason}\n".lstrip() + text
    try:
        text = LabPaths(lab).log.read_text()
    except FileNotFoundError:
        raise SwarmctlError(
            f"lab {lab} has no log", f"run `swarmctl lab up --name {lab}`"
        ) from None
    return "\n".join(text.splitlines()[-lines:])
