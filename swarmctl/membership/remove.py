"""Nodes leave the Swarm, step by step; each step can be repeated.

1. Those that live are drained together (:mod:`swarmctl.moves.drain`).
2. One after the other: a manager is demoted, and the next step waits until the managers' Raft group
   does not have it any more; the machine leaves; its entry is removed.

``docker swarm leave --force`` on a manager that was not demoted damages the group (moby#26105).
"""

from __future__ import annotations

from collections.abc import Callable

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.membership.plan import RemovalPlan, in_raft
from swarmctl.moves.context import Context
from swarmctl.moves.drain import drain, locked
from swarmctl.swarm.engine import EngineError, Json, change_node, delete
from swarmctl.swarm.node import Node

Leave = Callable[[Node], str]  # "" when it has left; else why not yet
_LEAVE_S = 60.0


def remove(plan: RemovalPlan, context: Context, leave: Leave, *, force: bool = False) -> None:
    """Carry out a plan.

    Args:
        plan: see :func:`swarmctl.membership.plan.plan_removal`.
        context: the Swarm, by way of managers that stay.
        leave: lets a machine leave; raises a SwarmctlError when it cannot be reached.
        force: go on when a drain does not end: a sick machine may never stop its tasks.

    Raises:
        RefusedError: an experiment or another move is under way.
        DeadlineExceededError: a replica did not start elsewhere, or a manager did not leave the
            Raft group in time. The same command goes on.
        SwarmctlError: a manager refused.
    """
    if plan.drain:
        try:
            drain(plan.drain, context)
        except DeadlineExceededError as fault:
            if not force:
                raise
            context.note(f"not drained, removed all the same: {fault.message}")
    live = {node.id for node in plan.drain.nodes} if plan.drain else set()
    with locked(context, "remove"):
        for node in plan.nodes:
            context.interrupts.check()
            if in_raft(node):
                _demote(node, context)
            if node.id in live:
                _let_leave(node, context, leave)
            # By force: the managers may not have noticed yet that the machine has left.
            delete(context.engine, f"/nodes/{node.id}", force="true")
            context.note(f"{node.name} ({node.id}): removed from the Swarm")


def _demote(node: Node, context: Context) -> None:
    """Make it a worker, and wait until the Raft group does not have it any more."""

    def as_worker(spec: Json) -> Json:
        return spec if spec["Role"] == "worker" else {**spec, "Role": "worker"}

    if change_node(context.engine, node.id, as_worker):
        context.note(f"{node.name}: demoted")

    def left() -> tuple[bool | None, str]:
        try:
            status = context.engine.get(f"/nodes/{node.id}").get("ManagerStatus")
        except EngineError as fault:
            if fault.status != 404:
                raise
            status = None
        return (None if status else True), f"it is {(status or {}).get('Reachability')}"

    context.wait(f"{node.name} to leave the managers", left, context.timeout)
    context.note(f"{node.name}: not a manager any more")


def _let_leave(node: Node, context: Context, leave: Leave) -> None:
    """Let the machine leave; one that cannot be reached is removed all the same."""

    def gone() -> tuple[bool | None, str]:
        seen = leave(node)
        return (None if seen else True), seen

    try:
        context.wait(f"{node.name} to leave", gone, _LEAVE_S)
    except SwarmctlError as fault:
        context.interrupts.check()  # a signal is not the machine's silence
        context.note(f"{node.name}: did not leave by itself: {fault.message}")
