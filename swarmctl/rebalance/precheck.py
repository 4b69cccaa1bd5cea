"""Before a rebalance: whether it may begin."""

from __future__ import annotations

from swarmctl.errors import RefusedError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm


def refuse_unless_ready(engine: Engine, swarm: Swarm) -> None:
    """Check that every node is ready and that no experiment is under way.

    Raises:
        RefusedError: a node is not ready, or an experiment holds the lock; says which.
    """
    if down := [f"{node.hostname} is {node.state}" for node in swarm.nodes if not node.live]:
        raise RefusedError(
            f"{', '.join(down)}: rebalance only when every node is ready",
            "see swarmctl status; to remove a lost node: docker node rm --force NAME",
        )
    held = lock.find(engine, lock.CHAOS)
    if held and (held.plan is not None or held.active(lock.manager_time(engine))):
        raise RefusedError(
            f"{lock.CHAOS.what} is locked by {held.owner}",
            f"wait until it ends; if that process is gone: {lock.CHAOS.unlock}",
        )
