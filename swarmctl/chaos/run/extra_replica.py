"""What a rebalance that was killed left behind: a service with one replica too many.

A rebalance keeps the numbers of replicas in the Swarm's chaos lock while it works.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import Engine, EngineError, Json
from swarmctl.swarm.lock import REBALANCE
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import wait_for

_SERVICE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_TIMEOUT_S = 120.0


def replicas(plan: Mapping[str, Any] | None) -> dict[str, int] | None:
    """The replicas by service id in a rebalance's plan; ``None`` for another plan.

    Raises:
        SwarmctlError: it is not valid.
    """
    if plan is None or REBALANCE not in plan:
        return None
    found = plan[REBALANCE]
    valid = isinstance(found, dict) and all(
        _SERVICE_ID.fullmatch(str(id_)) and type(number) is int and number > 0
        for id_, number in found.items()
    )
    if not valid or len(plan) != 1:
        raise SwarmctlError(
            "the rebalance's plan in the Swarm's chaos lock is not valid; nothing was done",
            "on a manager: docker config inspect --pretty swarmctl-chaos-lock",
        )
    return dict(found)


def scale_back(
    engine: Engine,
    wanted: Mapping[str, int],
    note: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Take away the extra replica of each service that has exactly one more than it should.

    Raises:
        DeadlineExceededError: the extra replica does not run: Swarm might remove one that serves.
        SwarmctlError: Swarm refuses.
    """
    for service, number in wanted.items():
        raw = _read(engine, service)
        if raw is None or _replicas(raw) != number + 1:
            continue  # removed, put back, or scaled by another client
        name = str(raw["Spec"]["Name"])
        wait_for(
            f"{number + 1} replicas of {name} to run, so that one can go",
            partial(_running, engine, service, number + 1),
            timeout=_TIMEOUT_S,
            interval=1.0,
            pause=pause,
        )
        raw = _read(engine, service)
        if raw is None or _replicas(raw) != number + 1:
            continue
        spec = raw["Spec"]
        mode = {"Replicated": {**spec["Mode"]["Replicated"], "Replicas": number}}
        engine.send(
            "POST",
            f"/services/{service}/update",
            {**spec, "Mode": mode},
            params={"version": str(raw["Version"]["Index"])},
        )
        note(f"{name}: back to {number} replicas")


def _read(engine: Engine, service: str) -> Json | None:
    try:
        found: Json = engine.get(f"/services/{service}")
    except EngineError as fault:
        if fault.status == 404:
            return None
        raise
    return found


def _replicas(raw: Json) -> int | None:
    replicated = raw["Spec"]["Mode"].get("Replicated")
    return None if replicated is None else int(replicated.get("Replicas", 1))


def _running(engine: Engine, service: str, enough: int) -> tuple[bool | None, str]:
    try:
        swarm = engine.snapshot()
    except ManagerError as fault:  # an election
        return None, fault.message
    found = swarm.service_by_name(service)
    running = swarm.running(found) if found else enough
    return (True if running >= enough else None), f"{running} run"
