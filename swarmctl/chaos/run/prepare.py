"""Everything before the fault that touches nothing: targets, machines, guards, prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.fault import targets
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import GuardRecord, TargetRecord
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.run import guards
from swarmctl.chaos.world.protocols import Forecast, Machine, Managers
from swarmctl.errors import SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Node, Service, Swarm, Task


@dataclass(frozen=True)
class Aim:
    """What a selection means in one snapshot.

    Args:
        nodes: the nodes that are hit.
        tasks: the single tasks that are, if the fault aims at tasks.
        machines: the cluster's instances by name.
    """

    nodes: tuple[Node, ...]
    tasks: tuple[Task, ...] = ()
    machines: Mapping[str, Sequence[Machine]] = field(default_factory=dict)

    def records(self, swarm: Swarm) -> tuple[TargetRecord, ...]:
        """The targets as a journal keeps them."""
        if not self.tasks:
            return tuple(self._record(node) for node in self.nodes)
        names = {service.id: service.name for service in swarm.services}
        nodes = {node.id: node for node in self.nodes}
        return tuple(
            self._record(nodes[task.node_id], task, names[task.service_id]) for task in self.tasks
        )

    def _record(self, node: Node, task: Task | None = None, service: str = "") -> TargetRecord:
        found = self.machines.get(node.hostname, ())
        return TargetRecord(
            node=node.hostname,
            node_id=node.id,
            role=node.role,
            instance_id=found[0].id if found else "",
            address=node.address,
            task_id=task.id if task else "",
            container_id=task.container_id if task else "",
            task=f"{service}.{task.slot or node.hostname}" if task else "",
        )

    def addresses(self) -> list[str]:
        """Every address under which the nodes can be reached."""
        machines = [m for node in self.nodes for m in self.machines.get(node.hostname, ())]
        found = [a for m in machines for a in (m.address, m.private_ip) if a]
        return [node.address for node in self.nodes] + found


def take_aim(swarm: Swarm, kind: Kind, selection: Selection, machines: Sequence[Machine]) -> Aim:
    """Choose the targets.

    Raises:
        UsageError: see :func:`swarmctl.chaos.fault.targets.choose`.
    """
    named = guards.by_name(machines)
    if kind.effect is not Effect.TASKS:
        return Aim(targets.choose(swarm, selection), (), named)
    tasks = targets.choose_tasks(swarm, selection)
    hit = {task.node_id for task in tasks}
    return Aim(tuple(node for node in swarm.nodes if node.id in hit), tasks, named)


def forecast(swarms: Managers, kind: Kind, aim: Aim) -> Forecast | None:
    """What Swarm will do about it; ``None`` where no replica has to find another node."""
    if kind.effect not in (Effect.DOWN, Effect.DRAINED):
        return None
    return swarms.forecast([node.id for node in aim.nodes])


def lock_guard(swarms: Managers) -> GuardRecord:
    """Whether another experiment is under way in this Swarm."""
    try:
        found = lock.find(swarms.engine, lock.CHAOS)
        return guards.no_other(found, swarms.now())
    except SwarmctlError as fault:
        return GuardRecord("no-other-experiment", False, fault.message, fault.hint)


def judge(
    swarm: Swarm,
    kind: Kind,
    selection: Selection,
    aim: Aim,
    cluster: str,
    limits: Limits,
    expected: Forecast | None,
) -> list[GuardRecord]:
    """What the guards that look at the Swarm say.

    Args:
        swarm: the snapshot.
        kind: the fault.
        selection: as the user gave it.
        aim: what it means.
        cluster: whose instances may be touched.
        limits: what is allowed.
        expected: the prediction.
    """
    loses = kind.effect in (Effect.DOWN, Effect.RETURNS, Effect.DRAINED)
    found = [guards.healthy(swarm)]
    if kind.effect in (Effect.DOWN, Effect.RETURNS):
        asked = selection.leader or not selection.drawn
        found += [guards.quorum(swarm, aim.nodes), guards.leader(aim.nodes, asked=asked)]
    found.append(_blast_radius(swarm, aim, limits))
    if loses:
        found.append(guards.capacity(expected))
    found.append(guards.owned(cluster, aim.nodes, aim.machines))
    if kind.stops:
        found.append(guards.stoppable(aim.nodes, aim.machines))
    found.append(guards.unprotected(aim.nodes, _services_of(swarm, aim)))
    return found


def _blast_radius(swarm: Swarm, aim: Aim, limits: Limits) -> GuardRecord:
    size = (limits.max_nodes, limits.max_percent)
    if not aim.tasks:
        return guards.blast_radius(len(aim.nodes), len(swarm.nodes), "nodes", *size)
    (service,) = _services_of(swarm, aim)
    serving = len(swarm.serving(service))
    return guards.blast_radius(len(aim.tasks), serving, f"tasks of {service.name}", *size)


def _services_of(swarm: Swarm, aim: Aim) -> tuple[Service, ...]:
    ids = {task.service_id for task in aim.tasks}
    return tuple(service for service in swarm.services if service.id in ids)
