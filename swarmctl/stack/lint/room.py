"""Whether a stack's replicas fit the nodes by what they reserve, with all nodes and with one less.

The stack is deployed on paper by the scheduler's own rules, and then each node is lost in turn.
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
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.swarm import model
from swarmctl.swarm.constraints import parse_all

# Outcomes drawn for each lost node: ties hardly ever change how many replicas fit.
_DRAWS = 5
_MOST_REPLICAS = 1000


def without_room(stack: Stack, snapshot: Snapshot, own: str) -> Iterator[tuple[Service, str]]:
    """Each service that does not fit, with the node whose loss causes it (``""``: none is needed).

    Args:
        stack: the file.
        snapshot: the Swarm.
        own: the name under which the file is deployed already; those tasks are replaced.
    """
    ours = {s.name: s for s in stack.services if _may_lack_room(s, snapshot)}
    if not ours:
        return
    deployed, missing = _deploy(snapshot.swarm, own, [_as_service(s) for s in ours.values()])
    yield from ((ours[name], "") for name in sorted(missing))
    predictor = Predictor(deployed)
    for node in snapshot.nodes:
        prediction = predictor.sketch([node.id], _DRAWS)
        if not prediction.loss.quorum:  # nothing is replaced then, whatever the room
            continue
        short = {name.removeprefix(_NEW) for name in prediction.pending() if name.startswith(_NEW)}
        yield from ((ours[name], node.hostname) for name in sorted(short - missing))
        missing |= short


def _may_lack_room(service: Service, snapshot: Snapshot) -> bool:
    reserves = not service.is_global and not _reservations(service).empty
    return reserves and bool(snapshot.eligible([text for text, _ in service.constraints]))


def _reservations(service: Service) -> model.Resources:
    path = ("deploy", "resources", "reservations")
    try:
        memory = quantities.size(service.text(*path, "memory") or "0")
        cpus = float(service.text(*path, "cpus") or 0)
        return model.Resources(int(cpus * 1e9), memory)
    except (ValueError, OverflowError):  # refused already
        return model.Resources()


# No name of a running service begins so.
_NEW = "new/"


def _as_service(service: Service) -> model.Service:
    return model.Service(
        id=f"{_NEW}{service.name}",
        name=f"{_NEW}{service.name}",
        mode="replicated",
        replicas=min(service.replicas, _MOST_REPLICAS),
        image="",
        version=0,
        constraints=parse_all(text for text, _ in service.constraints),
        reservations=_reservations(service),
    )


def _deploy(
    swarm: model.Swarm, own: str, ours: list[model.Service]
) -> tuple[model.Swarm, set[str]]:
    """The Swarm with the stack deployed in place of its older version, and what found no room."""
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
