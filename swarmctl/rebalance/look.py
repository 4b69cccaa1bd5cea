"""What rebalancing looks at, and when it does not even begin."""

from __future__ import annotations

from swarmctl.errors import RefusedError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm


def whole_swarm(engine: Engine) -> Swarm:
    """The Swarm now, with networks and the managers' time.

    Raises:
        ManagerError: no manager answers.
    """
    raw = {kind: engine.get(f"/{kind}") or [] for kind in ("nodes", "services", "tasks")}
    networks = engine.get("/networks", scope=["swarm"]) or []
    taken_at = lock.manager_time(engine).isoformat()
    return parse_swarm({**raw, "networks": networks, "taken_at": taken_at})


def refuse_unless_whole(engine: Engine, swarm: Swarm) -> None:
    """Stop unless every node is ready and no experiment is under way.

    Raises:
        RefusedError: says which node, or who.
    """
    if down := [f"{node.hostname} is {node.state}" for node in swarm.nodes if not node.live]:
        raise RefusedError(
            f"{', '.join(down)}: there is nothing to be even about until it is back",
            "see swarmctl status; a node that is gone for good: docker node rm --force NAME",
        )
    held = lock.find(engine, lock.CHAOS)
    if held and (held.plan is not None or held.active(lock.manager_time(engine))):
        raise RefusedError(
            f"{lock.CHAOS.what} is locked by {held.owner}",
            f"wait for its end; if that process is gone: {lock.CHAOS.unlock}",
        )
