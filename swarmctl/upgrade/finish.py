"""The end of a node's upgrade: it runs the new Engine, is back as it was, nothing is missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from swarmctl.moves.context import Context
from swarmctl.moves.drain import activate
from swarmctl.swarm.model import Swarm
from swarmctl.upgrade.versions import same_release


def finish(
    engines: Mapping[str, str], context: Context, short: Collection[str] = ()
) -> tuple[str, ...]:
    """Wait until the nodes are members again, give back their availability, wait for replicas.

    Args:
        engines: the version that each must run, by the node's id.
        context: the Swarm, publishers.
        short: services that did not serve in full before the upgrade: they are not awaited.

    Returns:
        The names of the nodes that were given back.

    Raises:
        DeadlineExceededError: a node is not Ready with its version in time: it stays as it is; or
            replicas do not serve, then the nodes are back.
    """

    def ready() -> tuple[bool | None, str]:
        seen = not_ready(context.engine.snapshot(), engines)
        return (None if seen else True), seen

    context.wait("the Swarm to see the new Engines", ready, context.timeout)
    nodes = [node for node in context.engine.snapshot().nodes if node.id in engines]
    changed = activate(nodes, context, as_before=True)

    def serve() -> tuple[bool | None, str]:
        seen = missing(context.engine.snapshot(), short)
        return (None if seen else True), seen

    context.wait("every replica to serve", serve, context.timeout)
    return changed


def not_ready(swarm: Swarm, engines: Mapping[str, str]) -> str:
    """What keeps these nodes from being members with their new Engine, or ``""``."""
    known = {node.id: node for node in swarm.nodes}
    seen = []
    for node_id, engine in engines.items():
        if (node := known.get(node_id)) is None:
            seen.append(f"{node_id} is no member")
        elif not node.live:
            seen.append(f"{node.name} is {node.state}")
        elif not same_release(node.engine_version, engine):
            seen.append(f"{node.name} runs {node.engine_version}, not {engine}")
        elif node.manager and node.reachability != "reachable":
            seen.append(f"the manager {node.name} is {node.reachability or 'not reachable'}")
    if not swarm.leader:
        seen.append("there is no leader")
    return ", ".join(seen)


def missing(swarm: Swarm, short: Collection[str]) -> str:
    """The services that do not serve in full, or ``""``; jobs are ignored: they end."""
    return ", ".join(
        f"{count} replicas of {s.name} do not serve"
        for s in swarm.services
        if not s.is_job and s.name not in short and (count := swarm.missing(s))
    )
