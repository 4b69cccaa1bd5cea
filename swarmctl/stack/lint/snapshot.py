"""What the rules know of a Swarm: a snapshot as the Engine API gives it.

A JSON file with the keys ``nodes``, ``services``, ``tasks`` and ``networks`` (each optional), as
from ``GET /nodes`` and so on; and, where known, ``security_groups`` as EC2's DescribeSecurityGroups
gives them. :func:`parse` is the seam for a live Swarm: hand it the same lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.swarm.constraints import parse_all
from swarmctl.swarm.model import Node, Service, Swarm, parse_swarm


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one task holds back on its node."""

    nano_cpus: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A Swarm at one moment."""

    swarm: Swarm
    networks: tuple[Mapping[str, Any], ...] = ()
    reservations: Mapping[str, Reservation] | None = None  # by service id
    esp_open: bool | None = None  # None: nobody knows

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that may get tasks: ready and active."""
        return tuple(
            node for node in self.swarm.nodes if node.live and node.availability == "active"
        )

    def eligible(self, wanted: Sequence[str]) -> tuple[Node, ...]:
        """The nodes that may get tasks and satisfy all constraints."""
        required = parse_all(wanted)
        return tuple(node for node in self.nodes if all(c.holds(node) for c in required))

    def reserved(self, service: Service) -> Reservation:
        """What each task of a running service reserves."""
        return (self.reservations or {}).get(service.id, Reservation())


def read(path: Path) -> Snapshot:
    """A snapshot from a file.

    Raises:
        UsageError: there is no such file, or it is not a snapshot.
    """
    try:
        raw = json.loads(path.read_bytes())
        if not isinstance(raw, dict):
            raise UsageError(f"{path} is not a snapshot: it must be a JSON object", _HINT)
        return parse(raw)
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}", _HINT) from fault
    except ValueError as fault:
        raise UsageError(f"{path} is not JSON: {fault}", _HINT) from fault
    except (KeyError, TypeError, AttributeError) as fault:
        words = f"{path} is not as the Engine API writes it: {type(fault).__name__} {fault}"
        raise UsageError(words, _HINT) from fault


_HINT = "a snapshot holds the Engine API's JSON under nodes, services, tasks and networks"


def parse(raw: Mapping[str, Any]) -> Snapshot:
    """A snapshot from the Engine API's lists.

    Args:
        raw: the lists under ``nodes``, ``services``, ``tasks``, ``networks``, each optional.
    """
    services = raw.get("services") or ()
    return Snapshot(
        swarm=parse_swarm(raw.get("nodes") or (), services, raw.get("tasks") or ()),
        networks=tuple(raw.get("networks") or ()),
        reservations={service["ID"]: _reservation(service["Spec"]) for service in services},
        esp_open=_esp_open(raw.get("security_groups")),
    )


def _reservation(spec: Mapping[str, Any]) -> Reservation:
    resources = (spec.get("TaskTemplate") or {}).get("Resources") or {}
    held = resources.get("Reservations") or {}
    return Reservation(held.get("NanoCPUs") or 0, held.get("MemoryBytes") or 0)


def _esp_open(groups: Sequence[Mapping[str, Any]] | None) -> bool | None:
    if groups is None:
        return None
    return any(
        str(permission.get("IpProtocol")) in ("50", "-1", "esp")
        for group in groups
        for permission in group.get("IpPermissions") or ()
    )
