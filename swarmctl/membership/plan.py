"""In which order nodes leave the Swarm, and what speaks against it: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from swarmctl.errors import RefusedError, UsageError
from swarmctl.moves.plan import DrainPlan, plan_drain
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """How nodes leave the Swarm.

    Attributes:
        nodes: in the order in which they leave.
        drain: of those that live; ``None``: all are dead.
        managers: how many managers there are, and how many there will be.
        refusals: why it cannot be done at all.
        objections: what would be lost; only ``--force`` does it nevertheless.
        remarks: what is worth knowing.
    """

    nodes: tuple[Node, ...]
    drain: DrainPlan | None
    managers: tuple[int, int]
    refusals: tuple[str, ...]
    objections: tuple[str, ...]
    remarks: tuple[str, ...]


def in_raft(node: Node) -> bool:
    """Whether it is a manager, or was demoted and has not left the managers yet."""
    return node.manager or bool(node.reachability)


def entries(swarm: Swarm, names: Collection[str], *, absent_ok: bool) -> tuple[str, ...]:
    """The ids of all entries of these nodes: one that joined anew has left its old one behind.

    Args:
        swarm: a snapshot.
        names: full or short names, or ids.
        absent_ok: a name that no entry has is none to remove.

    Raises:
        UsageError: no entry has this name, or nodes of several names have it as their short name.
    """
    found: list[str] = []
    for name in names:
        ids = [n for n in swarm.nodes if name in (n.id, n.name, n.hostname)] or [
            n for n in swarm.nodes if name and n.hostname.endswith(f"_{name}")
        ]
        if not ids and not absent_ok:
            raise unknown("node", name, (n.name for n in swarm.nodes))
        if len({n.hostname for n in ids}) > 1:
            listed = ", ".join(n.name for n in ids)
            raise UsageError(f"several nodes have the name {name!r}", f"use one of: {listed}")
        found += [n.id for n in ids]
    return tuple(dict.fromkeys(found))


def plan_removal(
    swarm: Swarm, ids: Collection[str], dead: Collection[str] = (), *, gone: bool = False
) -> RemovalPlan:
    """The plan for these nodes.

    Args:
        swarm: a snapshot.
        ids: of the nodes.
        dead: ids of those whose machine is known to be lost, whatever the managers say.
        gone: their machines do not exist any more: nothing can be lost with them.
    """
    known_dead = {n.id for n in swarm.nodes if not n.live} | set(dead)
    nodes = _in_order([n for n in swarm.nodes if n.id in ids], known_dead)
    live = [n.id for n in nodes if n.id not in known_dead]
    drain = plan_drain(swarm, live) if live else None
    lost = _lost_data(swarm, {n.id for n in nodes} & known_dead)
    managers = [n for n in swarm.nodes if in_raft(n)]
    left = len(managers) - sum(in_raft(n) for n in nodes)
    return RemovalPlan(
        tuple(nodes),
        replace(drain, remarks=()) if drain else None,
        (len(managers), left),
        tuple(_against_quorum(managers, nodes, known_dead)),
        (*(drain.objections if drain else ()), *(() if gone else lost)),
        (*_remarks(nodes, left, len(managers), known_dead), *(lost if gone else ())),
    )


def _in_order(nodes: Sequence[Node], dead: Collection[str]) -> list[Node]:
    """Workers, lost managers, other managers, the leader: one election at most."""

    def place(node: Node) -> tuple[bool, bool, bool, str]:
        return (in_raft(node), node.id not in dead, node.leader, node.name)

    return sorted(nodes, key=place)


def _against_quorum(
    managers: Sequence[Node], leaving: Sequence[Node], dead: Collection[str]
) -> list[str]:
    """Why a demotion would end the quorum: of what stays, a majority must be reachable.

    SwarmKit asks the same before each (manager/state/raft/raft.go, CanRemoveMember).
    """
    left, found = list(managers), []
    for node in leaving:
        if not in_raft(node):
            continue
        left = [m for m in left if m.id != node.id]
        up = [m for m in left if m.reachability == "reachable" and m.id not in dead]
        if not left:
            found.append(f"{node.name} is the last manager: without it the Swarm ends")
        elif len(up) < len(left) // 2 + 1:
            lost = ", ".join(m.name for m in left if m not in up)
            found.append(
                f"without {node.name}, {len(up)} of {len(left)} managers could be reached, "
                f"{len(left) // 2 + 1} must be: repair or replace {lost} first"
            )
    return found


def _lost_data(swarm: Swarm, dead: Collection[str]) -> tuple[str, ...]:
    """Volumes on lost nodes that a task used to the end; where they are up, the drain says so."""
    found = dict[str, None]()
    for service in swarm.services:
        for task in swarm.tasks_of(service):
            node = swarm.node_by_id(task.node_id)
            if node and node.id in dead and task.state in ("running", "orphaned"):
                found |= {
                    f"{service.name}: the {'path' if m.kind == 'bind' else 'volume'} "
                    f"{m.source or '(anonymous)'} on {node.name} is lost with it": None
                    for m in service.mounts
                    if m.stays_behind
                }
    return tuple(found)


def _remarks(nodes: Sequence[Node], left: int, before: int, dead: Collection[str]) -> list[str]:
    found = [f"{n.name} ({n.id}) is {n.state}" for n in nodes if n.id in dead]
    found += [f"{n.name} is the leader: another one is elected" for n in nodes if n.leader]
    if 0 < left < before:
        spare = (left - 1) // 2
        found.append(f"managers: {before} → {left}; then {spare or 'none'} of them may fail")
    return found


def refuse(plan: RemovalPlan, *, force: bool) -> None:
    """Refuse what cannot be done, or would lose something.

    Raises:
        RefusedError: ``force`` helps only against a loss.
    """
    if plan.refusals:
        raise RefusedError("; ".join(plan.refusals))
    if plan.objections and not force:
        raise RefusedError(
            "removing would lose something: " + "; ".join(plan.objections),
            "mend that, or pass --force (to a playbook: -e accept_loss=true)",
        )
