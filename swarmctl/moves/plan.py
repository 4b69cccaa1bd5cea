"""What draining nodes will do, and what speaks against it: pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.endpoint import Endpoint
from swarmctl.prediction.predict import predict
from swarmctl.prediction.prediction import Prediction
from swarmctl.prediction.predictor import Bounds, Predictor
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.node import Node

_UPDATING = ("updating", "rollback_started")
# Warnings that the plan says in its own words, or that do not hold for a drained node.
_SAID = ("quorum", "leader", "pending", "policy", "volume", "bind", "single-point")


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """What draining nodes will do.

    Attributes:
        nodes: to be drained.
        prediction: where their replicas go.
        endpoints: theirs, that clients use.
        first_elsewhere: names of services that run on these nodes only: one more replica is
            started elsewhere before the nodes are drained.
        objections: why it would lose something; only ``--force`` does it nevertheless.
        remarks: what is worth knowing.
    """

    nodes: tuple[Node, ...]
    prediction: Prediction
    endpoints: tuple[Endpoint, ...]
    first_elsewhere: tuple[str, ...]
    objections: tuple[str, ...]
    remarks: tuple[str, ...]


def plan_drain(swarm: Swarm, ids: Collection[str], bounds: Bounds | None = None) -> DrainPlan:
    """The plan for these nodes.

    Args:
        swarm: a snapshot.
        ids: of the nodes.
        bounds: of the search for outcomes.
    """
    nodes = tuple(node for node in swarm.nodes if node.id in ids)
    names = {node.name for node in nodes}
    voteless = _without_votes(swarm, ids)
    prediction = predict(voteless, ids, bounds)
    warnings = tuple(n for n in prediction.warnings if n.kind not in _SAID)
    unplaced = _unplaced(prediction, Predictor(voteless).waiting_now())
    # Those without room get none elsewhere: their objection is said already.
    alone = [s for s in swarm.services if _only_there(swarm, s, ids) and s.name not in unplaced]
    return DrainPlan(
        nodes,
        replace(prediction, warnings=warnings),
        tuple(e for e in catalogue(swarm).every if e.node in names),
        tuple(s.name for s in alone if not _why_not_first(s)),
        (
            *unplaced.values(),
            *_data(swarm, prediction),
            *(f"{s.name}: down while it moves: {why}" for s in alone if (why := _why_not_first(s))),
        ),
        tuple(_remarks(nodes)),
    )


def _without_votes(swarm: Swarm, ids: Collection[str]) -> Swarm:
    """The Swarm in which these nodes are no managers: the quorum does not lose a drained one."""
    return replace(
        swarm,
        nodes=tuple(
            replace(n, role="worker", leader=False) if n.id in ids else n for n in swarm.nodes
        ),
    )


def _only_there(swarm: Swarm, service: Service, ids: Collection[str]) -> bool:
    """Whether all that serves of it is on these nodes."""
    on = {task.node_id for task in swarm.serving(service)}
    return bool(on) and on <= set(ids) and not service.is_job and not service.is_global


def _why_not_first(service: Service) -> str:
    """Why no replica of it can be started elsewhere before the others stop, or ``""``."""
    if any(mount.stays_behind for mount in service.mounts):
        return "its data is local to the node"
    if any(mount.kind == "cluster" for mount in service.mounts):
        return "cluster (CSI) volumes: not known whether two replicas can use them"
    if service.update_state in _UPDATING:
        return "its update is not finished"
    return ""


def _unplaced(prediction: Prediction, waiting: Mapping[str, int]) -> dict[str, str]:
    """Services of which more replicas than now would not run, with why."""
    reasons = prediction.reasons
    found = {
        name: f"{name}: {_finds(new)} no node: {reasons.get(name, '')}"
        for name, (_, most) in prediction.pending().items()
        if (new := most - waiting.get(name, 0)) > 0
    }
    return found | {
        name: f"{name}: {gone.count} not replaced: {gone}"
        for name, gone in prediction.loss.gone.items()
    }


def _finds(count: int) -> str:
    return "1 replica finds" if count == 1 else f"{count} replicas find"


def _data(swarm: Swarm, prediction: Prediction) -> list[str]:
    return [
        f"{s.name}: the {'path' if m.kind == 'bind' else 'volume'} {m.source or '(anonymous)'} is "
        "local to its node: the data stays there"
        for s in swarm.services
        if s.name in prediction.loss.moved
        for m in s.mounts
        if m.stays_behind
    ]


def _remarks(nodes: tuple[Node, ...]) -> list[str]:
    managers = [n for n in nodes if n.manager]
    found = [
        f"{n.name} is a manager{' and the leader' if n.leader else ''}: it stays one; only its "
        "tasks leave"
        for n in managers
    ]
    found += [f"{n.name} is {n.state}" for n in nodes if not n.live]
    found += [f"{n.name} is drained already" for n in nodes if n.availability == "drain"]
    return found
