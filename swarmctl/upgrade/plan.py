"""Which nodes are upgraded together, and in which order: pure.

Workers first, in batches; then the managers, one at a time; the leader last of all. Each step is
planned on the Swarm that the steps before it leave behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarmctl.errors import UsageError
from swarmctl.moves.earlier import earlier, stays_drained
from swarmctl.moves.plan import DrainPlan, plan_drain
from swarmctl.prediction.predictor import Bounds
from swarmctl.prediction.quorum import quorum_without
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node
from swarmctl.upgrade.simulate import after_drain
from swarmctl.upgrade.socket_clients import socket_warnings
from swarmctl.upgrade.survey import Surveyed
from swarmctl.upgrade.versions import numbers

# A batch is looked for among many: a few outcomes show whether its replicas find a place.
FEW = Bounds(outcomes=200, work=2_000, draws=40)
# Of each step, for people; the drain itself looks at all.
SOME = Bounds(outcomes=2_000, work=10_000, draws=100)


@dataclass(frozen=True, slots=True)
class Step:
    """Nodes that are upgraded together.

    Attributes:
        nodes: in the order of their names.
        drain: their replicas, and where these go; of the nodes that are to be drained.
        begun: names of those that an earlier run has begun with.
    """

    nodes: tuple[Node, ...]
    drain: DrainPlan
    begun: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpgradePlan:
    """What an upgrade will do.

    Attributes:
        steps: one after the other.
        current: names of the nodes that are skipped.
        objections: why it would lose something, or could not finish.
        remarks: what is worth knowing.
        short: names of services that do not serve in full now.
    """

    steps: tuple[Step, ...]
    current: tuple[str, ...]
    objections: tuple[str, ...]
    remarks: tuple[str, ...]
    short: tuple[str, ...]


def plan_upgrade(swarm: Swarm, survey: Mapping[str, Surveyed], batch: int) -> UpgradePlan:
    """The plan for the nodes of a survey.

    Args:
        swarm: a snapshot.
        survey: of each node that is to be upgraded, by host name.
        batch: the most workers at a time.

    Raises:
        UsageError: an Engine would be downgraded.
    """
    if older := _downgrades(survey):
        raise UsageError(
            "; ".join(older), "an Engine is never downgraded: leave out engine_version"
        )
    members = {name: swarm.node_by_name(name) for name in survey}
    found = {name: node for name, node in members.items() if node and node.live}
    todo = [n for name, n in found.items() if earlier(n) or not survey[name].current]
    steps = tuple(_steps(swarm, todo, max(1, batch)))
    objections = [f"{name} is no live member of the Swarm" for name in survey if name not in found]
    short = _short(swarm)
    # A run that was stopped has drained their node: that is no reason against going on.
    objections += () if any(earlier(node) for node in swarm.nodes) else short.values()
    for step in steps:
        names = ", ".join(node.name for node in step.nodes)
        objections += [
            f"{names}: {text}" for text in (*step.drain.objections, *_votes(swarm, step))
        ]
    ids = {node.id for node in todo}
    return UpgradePlan(
        steps,
        tuple(n.name for n in found.values() if n.id not in ids),
        tuple(dict.fromkeys(objections)),
        (*_remarks(swarm, survey, todo), *socket_warnings(swarm, survey)),
        tuple(short),
    )


def _steps(swarm: Swarm, todo: Sequence[Node], batch: int) -> Iterator[Step]:
    left = sorted((n for n in todo if not n.manager), key=_order)
    while left:
        chosen = [left.pop(0)]
        for node in tuple(left):
            if len(chosen) < batch and _may_join(swarm, [*chosen, node]):
                chosen.append(node)
                left.remove(node)
        step = _step(swarm, chosen)
        yield step
        swarm = after_drain(swarm, step.drain, chosen)
    for manager in sorted((n for n in todo if n.manager), key=lambda n: (n.leader, *_order(n))):
        step = _step(swarm, [manager])
        yield step
        swarm = after_drain(swarm, step.drain, [manager])


def _order(node: Node) -> tuple[bool, tuple[str, int], str]:
    """What was begun first, then wkr2 before wkr10."""
    stem = node.name.rstrip("0123456789")
    return not earlier(node), (stem, int(node.name[len(stem) :] or 0)), node.id


def _step(swarm: Swarm, nodes: Sequence[Node]) -> Step:
    now = [node for n in nodes if (node := swarm.node_by_id(n.id))]
    moving = {n.id for n in now if not stays_drained(n)}
    return Step(
        tuple(sorted(now, key=lambda n: _order(n)[1:])),
        plan_drain(swarm, moving, SOME),
        tuple(n.name for n in now if earlier(n)),
    )


def _may_join(swarm: Swarm, nodes: Sequence[Node]) -> bool:
    """Whether these nodes may be away together: no zone, no service is lost, all replicas fit."""
    ids = {node.id for node in nodes}
    usable = [n for n in swarm.nodes if n.live and n.availability == "active" and not n.manager]
    if {n.zone for n in nodes if n.zone} - {n.zone for n in usable if n.id not in ids}:
        return False
    for service in swarm.services:
        if service.is_job or service.is_global:
            continue
        on = [task.node_id in ids for task in swarm.serving(service)]
        # Until replicas run elsewhere, half of them must carry the load.
        if any(on) and (len(on) - sum(on)) * 2 < service.replicas:
            return False
    return not plan_drain(swarm, ids, FEW).objections


def _votes(swarm: Swarm, step: Step) -> Iterator[str]:
    """Whether the managers keep their majority while one restarts; a single one has no choice."""
    lost = {node.id for node in step.nodes if node.manager}
    if lost and len(swarm.managers) > 1 and not (votes := quorum_without(swarm, lost)).kept:
        yield (
            f"{votes.remaining} of {votes.managers} managers would remain, {votes.needed} are "
            "needed"
        )


def _downgrades(survey: Mapping[str, Surveyed]) -> list[str]:
    return [
        f"{name} runs {node.running}, {node.engine} is older"
        for name, node in survey.items()
        if numbers(node.engine) < numbers(node.running)
    ]


def _short(swarm: Swarm) -> dict[str, str]:
    """Services that do not serve in full, with what is missing."""
    return {
        s.name: f"{s.name}: {missing} of {swarm.wanted(s)} replicas do not serve now"
        for s in swarm.services
        if not s.is_job and (missing := swarm.missing(s))
    }


def _remarks(swarm: Swarm, survey: Mapping[str, Surveyed], todo: Collection[Node]) -> Iterator[str]:
    for node in todo:
        before = earlier(node)
        if before:
            yield f"{node.name}: an earlier run has begun with it; it was {before} before"
        elif node.availability != "active":
            yield f"{node.name} is {node.availability}, and will be again"
    if len(swarm.managers) == 1 and any(node.manager for node in todo):
        yield (
            f"{swarm.managers[0].name} is the only manager: nothing is replaced and nothing can "
            "be changed while its Engine restarts"
        )
    for node in swarm.nodes:
        if node.hostname not in survey:
            yield f"{node.name} ({node.state}, Engine {node.engine_version}) is left out"
