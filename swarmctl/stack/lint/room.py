"""Whether a stack's replicas fit the nodes by what they reserve, with all nodes and with one less.

A greedy packing, largest first onto the emptiest node: about what SwarmKit's spread does, and
enough to say that something surely does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from swarmctl.reading import quantities
from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint.snapshot import Reservation, Snapshot
from swarmctl.swarm.constraints import Constraint, parse_all
from swarmctl.swarm.model import Node, Task

_OVER = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


@dataclass(frozen=True, slots=True)
class _Item:
    need: Reservation
    fits: Callable[[Node], bool]
    service: Service | None  # None: a task of another stack


def misfits(stack: Stack, snapshot: Snapshot, own: str) -> Iterator[tuple[Service, str]]:
    """Each service that does not fit, with the node whose loss causes it (``""``: none is needed).

    Args:
        stack: the file.
        snapshot: the Swarm.
        own: the name under which the file is deployed already; those tasks are replaced.
    """
    ours = [item for service in stack.services for item in _items(service)]
    if not ours or not snapshot.nodes:
        return
    theirs = _foreign_tasks(snapshot, own)
    reported: set[str] = set()
    for lost in (None, *snapshot.nodes):
        for service in _unplaced(snapshot, lost, ours, theirs):
            if service.name not in reported:
                reported.add(service.name)
                yield service, lost.hostname if lost else ""


def _items(service: Service) -> Iterator[_Item]:
    need = _reserves(service)
    if need == Reservation() or service.is_global:
        return
    required = parse_all(text for text, _ in service.constraints)

    def fits(node: Node) -> bool:
        return all(constraint.holds(node) for constraint in required)

    # Enough to find what does not fit; nobody has a thousand nodes in a snapshot.
    yield from [_Item(need, fits, service)] * min(service.replicas, 1000)


def _reserves(service: Service) -> Reservation:
    path = ("deploy", "resources", "reservations")
    try:
        memory = quantities.size(service.text(*path, "memory") or "0")
        cpus = float(service.text(*path, "cpus") or 0)
        return Reservation(int(cpus * 1e9), memory)
    except (ValueError, OverflowError):  # refused already
        return Reservation()


def _foreign_tasks(snapshot: Snapshot, own: str) -> list[tuple[Task, _Item]]:
    services = {s.id: s for s in snapshot.swarm.services if not own or s.stack != own}
    found = []
    for task in snapshot.swarm.tasks:
        service = services.get(task.service_id)
        if service is None or task.state in _OVER or task.desired_state != "running":
            continue

        required = parse_all(service.constraints)

        def fits(node: Node, required: Sequence[Constraint] = required) -> bool:
            return all(constraint.holds(node) for constraint in required)

        found.append((task, _Item(snapshot.reserved(service), fits, None)))
    return found


def _unplaced(
    snapshot: Snapshot,
    lost: Node | None,
    ours: Sequence[_Item],
    theirs: Sequence[tuple[Task, _Item]],
) -> Iterator[Service]:
    """The services of which a replica finds no room."""
    nodes = [node for node in snapshot.nodes if node is not lost]
    free = {node.id: [node.nano_cpus, node.memory_bytes] for node in nodes}
    moving = [item for task, item in theirs if lost and task.node_id == lost.id]
    for task, item in theirs:
        if task.node_id in free:
            free[task.node_id][0] -= item.need.nano_cpus
            free[task.node_id][1] -= item.need.memory
    waiting = sorted([*ours, *moving], key=lambda i: (-i.need.memory, -i.need.nano_cpus))
    for item in waiting:
        room = [
            node
            for node in nodes
            if free[node.id][0] >= item.need.nano_cpus
            and free[node.id][1] >= item.need.memory
            and item.fits(node)
        ]
        if room:
            best = free[max(room, key=lambda node: free[node.id][1]).id]
            best[0] -= item.need.nano_cpus
            best[1] -= item.need.memory
        elif item.service and any(item.fits(node) for node in nodes):
            yield item.service
