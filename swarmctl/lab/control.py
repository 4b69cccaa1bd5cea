"""Reads and disturbs the traffic of a lab's API, with the operator's key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from swarmctl.errors import SwarmctlError
from swarmctl.lab.access.traffic import CONTROL
from swarmctl.lab.lab import environment
from swarmctl.lab.registry.settings import ACTION, NO_LIMIT


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a caller made a call, and what became of it."""

    caller: str  # "operator", or the name of a role
    action: str  # as in a policy: "ec2:DescribeInstances"
    outcome: str  # "passed", or the code of the error with which it was refused
    number: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """The calls since the lab was started."""

    seconds: float
    calls: tuple[Calls, ...]


def traffic(lab: str) -> Traffic:
    """All calls that a lab's API has had.

    Raises:
        SwarmctlError: the lab is not up, or does not answer.
    """
    found = _ask(lab, "ListCalls", {})
    rows = (Calls(r["Caller"], r["Action"], r["Outcome"], r["Calls"]) for r in found["Calls"])
    return Traffic(float(found["Seconds"]), tuple(rows))


def fail(lab: str, seconds: float, status: int = 0, service: str = "") -> None:
    """Let a lab's API fail for a time; it replaces the failure before.

    Args:
        lab: its name.
        seconds: for how long; 0 ends the failure.
        status: of HTTP, 500 or more; 0 to refuse as if a limit were reached.
        service: as policies name it, for example ``servicediscovery``; ``""`` for all.

    Raises:
        SwarmctlError: the lab is not up, or refuses.
    """
    _ask(lab, "SetFault", {"Seconds": seconds, "Status": status, "Service": service})


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry of ECR as it is set."""

    address: str
    token_life_s: float
    ended: int  # tokens that were ended just now
    room: int | None  # bytes left for layers, None without a limit
    layer: int | None  # bytes of the largest layer, None without a limit


def registry(lab: str, **changes: float | bool) -> Registry:
    """Change the registry of a lab, and say how it is set.

    Args:
        lab: its name.
        changes: ``TokenLife`` (seconds), ``EndTokens``, ``Room`` and ``Layer`` (bytes, -1: no
            limit); what is not named stays.

    Raises:
        SwarmctlError: the lab is not up, or refuses.
    """
    found = _ask(lab, ACTION, changes)
    room, layer = (None if n == NO_LIMIT else n for n in (found["Room"], found["Layer"]))
    return Registry(found["Address"], found["TokenLife"], found["Ended"], room, layer)


def _ask(lab: str, action: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    variables = environment(lab)
    endpoint = variables["AWS_ENDPOINT_URL"]
    request = AWSRequest(
        "POST",
        f"{endpoint}/",
        {"X-Amz-Target": f"SwarmctlLab.{action}", "Content-Type": "application/x-amz-json-1.1"},
        json.dumps(parameters),
    )
    key = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, CONTROL, variables["AWS_REGION"]).add_auth(request)
    try:
        answer = requests.post(
            f"{endpoint}/", data=request.data, headers=dict(request.headers), timeout=30
        )
        found = answer.json()
    except (requests.RequestException, ValueError) as fault:
        raise SwarmctlError(
            f"the API of the lab {lab} does not answer: {fault}",
            f"its log: swarmctl lab logs --name {lab}",
        ) from fault
    if not answer.ok:
        raise SwarmctlError(f"the lab {lab} refused: {found.get('message', answer.text)}")
    return dict(found)
