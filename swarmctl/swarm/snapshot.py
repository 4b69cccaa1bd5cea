"""A whole Swarm as the Engine API's JSON: taken from a manager, or read from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarmctl.errors import UsageError
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.lock import manager_time
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import FORM, SnapshotError, parse_swarm

if TYPE_CHECKING:
    from swarmctl.swarm.client import SwarmClient


def take_snapshot(client: SwarmClient) -> dict[str, Any]:
    """Everything a prediction needs, as the Engine API gives it.

    Args:
        client: of a manager.

    Returns:
        The Engine's own JSON under ``nodes``, ``services``, ``tasks`` and ``networks``, and the
        manager's time under ``taken_at`` (RFC 3339): this machine's clock may be another, and a
        prediction asks how long ago tasks have failed.

    Raises:
        ManagerError: the manager does not answer.
    """
    taken_at = client.ask(client.docker.info)["SystemTime"]
    raw = client.raw_snapshot()
    networks = client.ask(client.docker.api.networks)
    return {**raw, "networks": networks, "taken_at": taken_at}


def read_swarm(engine: Engine) -> Swarm:
    """The Swarm now, with its networks and the managers' time.

    Raises:
        ManagerError: no manager answers.
    """
    raw = {kind: engine.get(f"/{kind}") or [] for kind in ("nodes", "services", "tasks")}
    networks = engine.get("/networks", scope=["swarm"]) or []
    taken_at = manager_time(engine).isoformat()
    return parse_swarm({**raw, "networks": networks, "taken_at": taken_at})


def load_snapshot(path: Path) -> Swarm:
    """Read a file that ``swarmctl snapshot`` wrote.

    Raises:
        UsageError: it cannot be read or is no snapshot; says which key, and what is expected.
    """
    try:
        return parse_swarm(read_json(path))
    except SnapshotError as fault:
        raise UsageError(f"{path}: {fault.message}", fault.hint) from fault


def read_json(path: Path) -> Any:
    """The JSON in a file.

    Raises:
        UsageError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as fault:
        hint = "make one: swarmctl snapshot -o FILE"
        raise UsageError(f"cannot read {path}: {fault.strerror}", hint) from fault
    except UnicodeDecodeError as fault:
        raise UsageError(f"{path}: not JSON: it is not text", FORM) from fault
    except json.JSONDecodeError as fault:
        raise UsageError(f"{path}:{fault.lineno}: not JSON: {fault.msg}", FORM) from fault
