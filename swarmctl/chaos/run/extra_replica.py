"""What a rebalance that was killed left behind: a service with one replica too many.

A rebalance keeps the numbers of replicas in the Swarm's chaos lock while it works.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from swarmctl.discovery.leaving import marked
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import Engine, EngineError, Json, change_service
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

    The mark of what is about to leave goes too: see ``swarmctl.discovery.leaving``.

    Raises:
        DeadlineExceededError: the extra replica does not run: Swarm might remove one that serves.
        SwarmctlError: Swarm refuses.
    """
    for service, number in wanted.items():
        try:
            _scale_back(engine, service, number, note, pause)
        except EngineError as fault:
            if fault.status != 404:  # removed meanwhile
                raise


def _scale_back(
    engine: Engine,
    service: str,
    number: int,
    note: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    """See :func:`scale_back`; another number than ours is another client's wish."""
    spec = engine.get(f"/services/{service}")["Spec"]
    name, extra, scaled = str(spec["Name"]), _replicas(spec) == number + 1, False
    if extra:
        wait_for(
            f"{number + 1} replicas of {name} to run, so that one can go",
            partial(_running, engine, service, number + 1),
            timeout=_TIMEOUT_S,
            interval=1.0,
            pause=pause,
        )

    def change(spec: Json) -> Json:
        nonlocal scaled
        unmarked = marked(spec, "")
        scaled = extra and _replicas(spec) == number + 1
        if not scaled:
            return unmarked
        return {
            **unmarked,
            "Mode": {"Replicated": {**spec["Mode"]["Replicated"], "Replicas": number}},
        }

    change_service(engine, service, change)
    if scaled:
        note(f"{name}: back to {number} replicas")


def _replicas(spec: Json) -> int | None:
    replicated = spec["Mode"].get("Replicated")
    return None if replicated is None else int(replicated.get("Replicas", 1))


def _running(engine: Engine, service: str, enough: int) -> tuple[bool | None, str]:
    try:
        swarm = engine.snapshot()
    except ManagerError as fault:  # an election
        return None, fault.message
    found = swarm.service_by_name(service)
    if found is None or found.replicas != enough:  # removed, put back, or scaled by another client
        return True, ""
    running = swarm.running(found)
    return (True if running >= enough else None), f"{running} run"
