"""Whether a stack's reservations fit on the nodes, with all nodes and with each one lost.

The stack is placed by the scheduler's own rules; then each node is lost in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from swarmctl.prediction.predictor import Predictor
from swarmctl.prediction.search import Chance, Search, State
from swarmctl.reading import quantities
from swarmctl.scheduler.board import Board
from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint import facts
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.swarm import model
from swarmctl.swarm.node import Resources

# Outcomes drawn for each lost node: ties hardly ever change how many replicas fit.
_DRAWS = 5
_MOST_REPLICAS = 1000


def without_room(stack: Stack, snapshot: Snapshot, own: str) -> Iterator[tuple[Service, str]]:
    """Each service that does not fit, and the node whose loss causes it (``""``: it never fits).

    Args:
        stack: the file.
        snapshot: the Swarm.
        own: the stack that the file is deployed as now; its tasks are replaced.
    """
    ours = {s.name: s for s in stack.services if _may_lack_room(s, snapshot)}
    if not ours:
        return
    deployed, missing = _deploy(snapshot.swarm, own, [_as_service(s) for s in ours.values()])
    yield from ((ours[name], "") for name in sorted(missing))
    predictor = Predictor(deployed)
    for node in snapshot.nodes:
        prediction = predictor.sketch([node.id], _DRAWS)
        if not prediction.loss.quorum:  # then nothing is replaced, room or not
            continue
        short = {name.removeprefix(_NEW) for name in prediction.pending() if name.startswith(_NEW)}
        yield from ((ours[name], node.hostname) for name in sorted(short - missing))
        missing |= short


def _may_lack_room(service: Service, snapshot: Snapshot) -> bool:
    reserves = not service.is_global and not _reservations(service).empty
    return reserves and bool(facts.eligible(service, snapshot))


def _reservations(service: Service) -> Resources:
    path = ("deploy", "resources", "reservations")
    try:
        memory = quantities.size(service.text(*path, "memory") or "0")
        cpus = float(service.text(*path, "cpus") or 0)
        return Resources(int(cpus * 1e9), memory)
    except (ValueError, OverflowError):  # refused already
        return Resources()


# No running service has a name that begins like this.
_NEW = "new/"


def _as_service(service: Service) -> model.Service:
    return model.Service(
        id=f"{_NEW}{service.name}",
        name=f"{_NEW}{service.name}",
        mode="replicated",
        replicas=min(service.replicas, _MOST_REPLICAS),
        image="",
        version=0,
        constraints=facts.constraints(service),
        reservations=_reservations(service),
    )


def _deploy(
    swarm: model.Swarm, own: str, ours: list[model.Service]
) -> tuple[model.Swarm, set[str]]:
    """The Swarm with the stack in place of its older version; and the services without room."""
    theirs = [service for service in swarm.services if not own or service.stack != own]
    ids = {service.id for service in theirs}
    tasks = [task for task in swarm.tasks if task.service_id in ids]
    before = replace(swarm, services=(*theirs, *ours), tasks=tuple(tasks))
    board = Board(before)
    search = Search(board, Chance(Random(1)))  # noqa: S311 - a simulation, not a secret
    (state,) = search.tick([State()], {s.id: s.replicas for s in ours}, frozenset())
    new = [
        _task(board.services[service_id], board.nodes[place].id, f"{place}.{number}")
        for service_id, allocation in state.placed
        for place, amount in allocation
        for number in range(amount)
    ]
    missing = {service_id.removeprefix(_NEW) for service_id, _ in state.waiting}
    return replace(before, tasks=(*tasks, *new)), missing


def _task(service: model.Service, node_id: str, suffix: str) -> model.Task:
    return model.Task(
        id=f"{service.id}.{suffix}",
        service_id=service.id,
        slot=1,
        node_id=node_id,
        state="running",
        desired_state="running",
        created_at="",
        updated_at="",
        reservations=service.reservations,
    )
