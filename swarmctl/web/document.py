"""What the page draws: a snapshot as three maps of small, plain objects. Pure.

The page gets a whole document first and differences afterwards (:mod:`swarmctl.web.changes`), so
each object is small and has an id that stays. Texts come from the Swarm's users: they are shown as
texts only, and cut where they are absurdly long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from swarmctl import colours
from swarmctl.reading.texts import one_line
from swarmctl.reading.times import unix_time
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node
from swarmctl.swarm.overview import Machine, NodeView, ServiceView, overview

# kind of object → id → object
Document = dict[str, dict[str, dict[str, Any]]]

LONGEST_TEXT = 500
# A failure is shown while it is the newest thing in its slot, and for so long afterwards.
FAILURES_SHOWN_S = 300.0

_Place = tuple[str, tuple[int, str]]  # service, slot or node

_FAILED = ("failed", "rejected", "orphaned")


def document(swarm: Swarm, machines: Iterable[Machine] = ()) -> Document:
    """The document of a snapshot.

    Args:
        swarm: the snapshot.
        machines: EC2 instances; one belongs to the node of its name.
    """
    view = overview(swarm, machines)
    places = colours.places(service.name for service in swarm.services)
    nodes = {node.id: node for node in swarm.nodes}
    names = {service.id: service.name for service in swarm.services}
    return {
        "nodes": {n.id: _node(n, nodes[n.id]) for n in view.nodes},
        "strangers": {m.id: {"name": _text(m.name), "state": m.state} for m in view.not_members},
        "services": {s.name: _service(s, places[s.name]) for s in view.services},
        "tasks": {
            task.id: _task(task, state, names[task.service_id])
            for task, state in _shown(swarm, nodes)
            if task.service_id in names
        },
    }


def _node(view: NodeView, node: Node) -> dict[str, Any]:
    return {
        "name": _text(node.name or view.name),
        "role": "leader" if view.leader else view.role,
        "state": view.state,
        "availability": view.availability,
        "reachability": view.reachability,
        "zone": _text(node.zone or (view.instance.az if view.instance else "")),
        "address": view.address,
        "engine": _text(view.engine),
        "message": _text(view.message),
        "instance": f"{view.instance.id} {view.instance.state}" if view.instance else "",
    }


def _service(view: ServiceView, place: int) -> dict[str, Any]:
    return {
        "name": _text(view.name),
        "stack": _text(view.stack),
        "mode": view.mode,
        "image": _text(view.image),
        "wanted": view.wanted,
        "running": view.running,
        "missing": view.missing,
        "update": view.update,
        "reasons": [_text(reason) for reason in view.reasons],
        "ports": [
            {"node": p.node, "published": p.published, "target": p.target, "protocol": p.protocol}
            for p in view.ports
        ],
        "colour": place,
    }


def _task(task: Task, state: str, service: str) -> dict[str, Any]:
    return {
        "service": _text(service),
        "slot": task.slot,
        "node": task.node_id,
        "state": state,
        "why": _text(task.error or (task.message if state != "running" else "")),
        "since": task.updated_at,
    }


def _shown(swarm: Swarm, nodes: Mapping[str, Node]) -> Iterable[tuple[Task, str]]:
    """Every task that is drawn, and its state."""
    newest: dict[_Place, Task] = {}
    for task in swarm.tasks:
        last = newest.get(_place(task))
        if last is None or last.created_at < task.created_at:
            newest[_place(task)] = task
    now = unix_time(swarm.taken_at) or time.time()
    failures: dict[_Place, Task] = {}
    for task in swarm.tasks:
        if state := state_of(task, nodes.get(task.node_id)):
            yield task, state
        elif task.state in _FAILED and task.node_id in nodes:
            recent = now - unix_time(task.updated_at) < FAILURES_SHOWN_S
            last = failures.get(_place(task))
            if (recent or newest[_place(task)] is task) and (
                last is None or last.updated_at < task.updated_at
            ):
                failures[_place(task)] = task
    yield from ((task, "failed") for task in failures.values())


def _place(task: Task) -> _Place:
    return task.service_id, task.place


def state_of(task: Task, node: Node | None) -> str:
    """How a task is drawn, or ``""``: it has ended.

    ``lost``: Swarm still lists it, on a node that is down; ``stopping``: it was told to end.
    """
    if task.state == "complete" and task.meant_to_finish:
        return "complete"
    if task.ended or task.desired_state == "remove":
        return ""
    if node is not None and node.state == "down":
        return "lost"
    if not task.meant_to_finish:
        return "stopping" if task.occupies else ""
    if task.unscheduled:
        return "waiting"
    if task.state == "running":
        return "running" if node is not None and node.live else "unknown"
    return "starting"


def _text(text: str) -> str:
    return one_line(text, LONGEST_TEXT)
