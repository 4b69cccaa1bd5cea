"""Which manager's state is copied: its Engine is stopped for some seconds. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarmctl.errors import RefusedError
from swarmctl.prediction.quorum import quorum_without
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node, find_node

ONLY = (
    "the only manager would be stopped for some seconds: meanwhile nothing is scheduled or healed, "
    "no command of Swarm works, and what runs on it stops"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The manager to copy.

    Attributes:
        node: the manager.
        tasks: how many tasks run on it, and stop with its Engine.
        drain: whether it must be drained first; not if the user accepts that they stop.
    """

    node: Node
    tasks: int
    drain: bool


def choose_manager(swarm: Swarm, name: str = "", *, only: bool = False) -> Choice:
    """The follower whose stop costs least: no tasks, then drained already, then by name.

    Args:
        swarm: a snapshot.
        name: a manager that the user wants; ``""``: any.
        only: the user accepts that the only manager is stopped.

    Raises:
        RefusedError: quorum would hang on it.
        UsageError: there is no such node.
    """
    if swarm.leader is None:
        raise RefusedError(
            "the managers have no leader now",
            "wait for the election to end; if a majority is lost, see docs/operations/restore.md",
        )
    if len(swarm.managers) == 1:
        if not only:
            raise RefusedError(
                f"{swarm.leader.hostname}: {ONLY}",
                "have three managers (managers: 3), or accept it: "
                "-e backup_stop_the_only_manager=true (--stop-the-only-manager)",
            )
        return replace(_choice(swarm, swarm.leader), drain=False)
    followers = [n for n in swarm.managers if n.live and n.reachability == "reachable"]
    if name:
        followers = [find_node(swarm.nodes, name)]
    usable = [n for n in followers if n.id != swarm.leader.id and n.manager]
    if not usable:
        raise RefusedError(
            f"{name} is no follower" if name else "no follower is reachable",
            "the leader is never stopped; swarmctl status shows the managers",
        )
    best = min(
        (_choice(swarm, node) for node in usable),
        key=lambda c: (c.tasks, c.node.availability != "drain", c.node.hostname),
    )
    left = quorum_without(swarm, {best.node.id})
    if not left.kept:
        raise RefusedError(
            f"without {best.node.hostname}, {left.remaining} of {left.managers} managers would be "
            f"left and {left.needed} are needed: the Swarm would lose its quorum",
            "start the managers that are down first; swarmctl status names them",
        )
    return best


def _choice(swarm: Swarm, node: Node) -> Choice:
    here = [t for t in swarm.tasks if t.node_id == node.id and t.state == "running"]
    return Choice(node, len(here), drain=bool(here))
