"""Before a rebalance: the Swarm as it is now, and whether the rebalance may begin."""

from __future__ import annotations

from swarmctl.errors import RefusedError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm


def read_swarm(engine: Engine) -> Swarm:
    """The Swarm now, with its networks and the managers' time.

    Raises:
        ManagerError: no manager answers.
    """
    raw = {kind: engine.get(f"/{kind}") or [] for kind in ("nodes", "services", "tasks")}
    networks = engine.get("/networks", scope=["swarm"]) or []
    taken_at = lock.manager_time(engine).isoformat()
    return parse_swarm({**raw, "networks": networks, "taken_at": taken_at})


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
