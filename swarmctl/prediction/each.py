"""What the loss of each node costs, the worst first."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.prediction.prediction import Loss
from swarmctl.prediction.predictor import Predictor
from swarmctl.swarm.node import Node

# Outcomes drawn for a node: order and ties change which replicas fit, hardly ever how many.
DRAWS = 5
# In a Swarm of more nodes fewer are drawn, to be done in seconds.
MANY_NODES, FEW_DRAWS = 200, 2


@dataclass(frozen=True, slots=True)
class Risk:
    """What the loss of one node costs.

    Attributes:
        node: its name.
        role: manager or worker; ``leader`` for the leader.
        state: its state now, and its availability unless that is active.
        tasks: number of tasks that run on it.
        moved: replicas that are replaced elsewhere, or wait for room.
        pending: the most of those that find no node, by service.
        gone: replicas that are not replaced, by service.
        down: services that run on this node only: an outage until they run again.
        left_behind: services whose data (volumes, bind mounts) stays on it.
        quorum: whether a majority of the managers remains.
        reasons: why replicas are pending or gone, by service.
    """

    node: str
    role: str
    state: str
    tasks: int
    moved: int
    pending: dict[str, int]
    gone: dict[str, int]
    down: tuple[str, ...]
    left_behind: tuple[str, ...]
    quorum: bool
    reasons: dict[str, str]

    @property
    def grade(self) -> str:
        """``quorum``, ``capacity``, ``data``, ``outage`` or ``fine``: the gravest that applies."""
        if not self.quorum:
            return "quorum"
        if self.pending or self.gone:
            return "capacity"
        if self.left_behind:
            return "data"
        return "outage" if self.down else "fine"

    @property
    def affordable(self) -> bool:
        """Whether every replica comes back somewhere."""
        return self.grade in ("data", "outage", "fine")


GRADES = ("quorum", "capacity", "data", "outage", "fine")


def each(predictor: Predictor) -> tuple[Risk, ...]:
    """The risk of every node that is up, worst first."""
    alone = _services_on_one_node(predictor)
    risks = [_risk(predictor, n, alone) for n in predictor.nodes if n.state != "down"]
    return tuple(sorted(risks, key=_weight))


def _weight(risk: Risk) -> tuple[int, int, int, int, int, str]:
    missing = sum(risk.pending.values()) + sum(risk.gone.values())
    grade = GRADES.index(risk.grade)
    return grade, -missing, -len(risk.left_behind), -len(risk.down), -risk.moved, risk.node


def _services_on_one_node(predictor: Predictor) -> dict[str, set[str]]:
    """By node id, the names of the services that run there only."""
    hosts: dict[str, set[str]] = {}
    for task in predictor.swarm.tasks:
        if task.active:
            hosts.setdefault(task.service_id, set()).add(task.node_id)
    names = {s.id: s.name for s in predictor.swarm.services}
    alone: dict[str, set[str]] = {}
    for service_id, nodes in hosts.items():
        if len(nodes) == 1 and service_id in names:
            alone.setdefault(next(iter(nodes)), set()).add(names[service_id])
    return alone


def _risk(predictor: Predictor, node: Node, alone: dict[str, set[str]]) -> Risk:
    many = len(predictor.nodes) > MANY_NODES
    prediction = predictor.sketch([node.id], FEW_DRAWS if many else DRAWS)
    loss, pending = prediction.loss, prediction.pending()
    before = predictor.waiting_now() if pending and loss.quorum else {}
    new = {name: most - before.get(name, 0) for name, (_, most) in pending.items()}
    new = {name: count for name, count in new.items() if count > 0} if loss.quorum else {}
    gone = {name: lost.count for name, lost in loss.gone.items()}
    words = prediction.reasons if new else {}
    reasons = {name: words.get(name, "") for name in new}
    return Risk(
        node=node.name,
        role="leader" if node.leader else node.role,
        state=node.state if node.availability == "active" else f"{node.state}, {node.availability}",
        tasks=predictor.active_on(node.id),
        moved=sum(loss.moved.values()),
        pending=new,
        gone=gone,
        down=tuple(sorted(alone.get(node.id, set()))),
        left_behind=_left_behind(predictor, loss),
        quorum=loss.quorum,
        reasons=reasons | {name: str(lost) for name, lost in loss.gone.items()},
    )


def _left_behind(predictor: Predictor, loss: Loss) -> tuple[str, ...]:
    touched = {*loss.moved, *loss.gone}
    return tuple(
        s.name
        for s in predictor.swarm.services
        if s.name in touched and any(mount.stays_behind for mount in s.mounts)
    )
