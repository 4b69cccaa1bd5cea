"""What the rules know of a Swarm: a snapshot, and EC2's security groups where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node
from swarmctl.swarm.parse import SnapshotError, parse_swarm
from swarmctl.swarm.snapshot import read_json


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A Swarm at one moment."""

    swarm: Swarm
    esp_open: bool | None = None  # whether security groups let ESP through; None: not known

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that may get tasks: ready and active."""
        return tuple(
            node for node in self.swarm.nodes if node.live and node.availability == "active"
        )


def read(path: Path) -> Snapshot:
    """A snapshot from a file.

    Raises:
        UsageError: there is no such file, or it is not a snapshot.
    """
    try:
        return parse(read_json(path))
    except SnapshotError as fault:
        raise UsageError(f"{path}: {fault.message}", fault.hint) from fault


def parse(raw: object) -> Snapshot:
    """A snapshot from the Engine API's lists.

    Args:
        raw: the lists under ``nodes``, ``services``, ``tasks``, ``networks``, each optional; and
            ``security_groups`` as EC2's DescribeSecurityGroups gives them.

    Raises:
        SnapshotError: it is not as the Engine API writes it; says where.
    """
    if not isinstance(raw, Mapping):
        return Snapshot(parse_swarm(raw))
    known = {key: raw.get(key) or [] for key in ("nodes", "services", "tasks", "networks")}
    return Snapshot(parse_swarm(known), _esp_open(raw.get("security_groups")))


def _esp_open(groups: Sequence[Mapping[str, Any]] | None) -> bool | None:
    if groups is None:
        return None
    return any(
        str(permission.get("IpProtocol")) in ("50", "-1", "esp")
        for group in groups
        for permission in group.get("IpPermissions") or ()
    )
