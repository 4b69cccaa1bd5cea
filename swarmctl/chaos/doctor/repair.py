"""Makes one repair, unless things have changed since it was found."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from swarmctl.chaos.doctor import inspect_nodes
from swarmctl.chaos.doctor.findings import Repair, RepairKind
from swarmctl.chaos.world.protocols import Cluster
from swarmctl.errors import RefusedError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.wait import wait_for

_HEAL_TIMEOUT_S = 60.0
# A node that was cut off may wait some seconds before it tries the managers again.
_READY_TIMEOUT_S = 60.0


class Reverter(Protocol):
    """Carries out undo plans; raises ``SwarmctlError`` when that fails."""

    def revert(self, run_id: str) -> object:
        """The one of a local run."""

    def revert_from_swarm(self) -> object:
        """The one in the Swarm's chaos lock."""


def make(
    repair: Repair,
    cluster: Cluster,
    reverter: Reverter,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Make a repair.

    Raises:
        SwarmctlError: it did not work.
    """
    if repair.kind is RepairKind.REVERT:
        reverter.revert(repair.subject)
        return
    engine = cluster.engine()
    if repair.kind is RepairKind.RELEASE:
        lock.release(engine, repair.subject)  # by its id: a newer lock stays
        return
    held = lock.find(engine, lock.CHAOS)
    if repair.kind is RepairKind.HEAL:
        under_way = held is not None and held.owned(lock.manager_time(engine))
        if held is not None and under_way and (held.plan or {}).get("id") == repair.subject:
            raise RefusedError(f"{repair.subject} is under way again: {held.owner}")
        _heal(repair, cluster, engine, pause)
    elif held is not None and held.id == repair.subject:
        reverter.revert_from_swarm()


def _heal(repair: Repair, cluster: Cluster, engine: Engine, pause: Callable[[float], None]) -> None:
    script = inspect_nodes.heal(repair.home, repair.subject)
    cluster.shell.run(repair.node, script, _HEAL_TIMEOUT_S)

    def ready() -> tuple[bool | None, str]:
        found = engine.snapshot().node_by_name(repair.node)
        state = found.state if found else "not in the Swarm"
        return (True if found is None or found.live else None), state

    wait_for(
        f"{repair.node} to be Ready", ready, timeout=_READY_TIMEOUT_S, interval=1.0, pause=pause
    )
