"""Whether the Swarm recovered: pure functions over what the managers said.

The service's own counter is never used. It goes on counting the replicas of a dead node until
their replacements are scheduled (moby shows 10/10 with three of them gone), so everything here is
computed from tasks *and* node states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from swarmctl.chaos.journal.journal import Placement
from swarmctl.chaos.run.judging.reasons import (
    Cause,
    Missing,
    NeverBack,
    NoProof,
    Reason,
    Removed,
    Scaled,
    Shortage,
    TargetUp,
)
from swarmctl.reading.times import time_or_none
from swarmctl.scheduler import restart
from swarmctl.swarm.missing import why_missing
from swarmctl.swarm.model import Service, Swarm, Task

# Two managers' clocks may differ by this much before a replacement's creation time is doubted.
# It cannot hide anything: a task from before the fault is in the baseline, whatever its time says.
CLOCK_SKEW = timedelta(seconds=2)


@dataclass(frozen=True)
class Baseline:
    """The Swarm right before the fault.

    Args:
        swarm: the last snapshot before the fault.
        targets: ids of the nodes that will be lost; nothing on them counts afterwards.
        fault_at: the managers' clock when the fault began.
        killed: ids of single tasks that will be ended.
        must_be_down: whether the managers must call the targets Down.
    """

    swarm: Swarm
    targets: frozenset[str]
    fault_at: datetime
    killed: frozenset[str] = frozenset()
    must_be_down: bool = True

    @cached_property
    def known_tasks(self) -> frozenset[str]:
        """Ids of the tasks that existed before the fault."""
        return frozenset(task.id for task in self.swarm.tasks)

    def loses(self, task: Task) -> bool:
        """Whether the fault takes this task."""
        return task.node_id in self.targets or task.id in self.killed


@dataclass(frozen=True, slots=True)
class ServiceJudgement:
    """One service in one snapshot after the fault.

    Args:
        service: its name.
        mode: ``replicated`` or ``global``.
        wanted: replicas wanted without the targets.
        lost: replicas that ran on the targets when the fault came.
        stayed: replicas that ran on, untouched.
        replaced: ids of the tasks that replace lost ones, on live nodes.
        causes: why it is not at full strength; empty when it is.
    """

    service: str
    mode: str
    wanted: int
    lost: int
    stayed: int = 0
    replaced: frozenset[str] = frozenset()
    causes: tuple[Cause, ...] = ()

    @property
    def serving(self) -> int:
        """Replicas that count."""
        return self.stayed + len(self.replaced)


@dataclass(frozen=True)
class Judgement:
    """What one snapshot shows.

    Args:
        services: every judged service.
        not_down: targets that the managers do not call Down though they must.
    """

    services: tuple[ServiceJudgement, ...]
    not_down: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Redistributed: the targets are Down and every service is at full strength without."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is not."""
        short = (
            Shortage(one.service, one.serving, one.wanted, one.causes)
            for one in self.services
            if one.causes
        )
        return (*map(TargetUp, self.not_down), *short)

    @property
    def replacements(self) -> frozenset[str]:
        """Ids of the tasks that replace lost ones."""
        return frozenset(task_id for one in self.services for task_id in one.replaced)


def judged(swarm: Swarm) -> tuple[Service, ...]:
    """The services a verdict is about."""
    return tuple(service for service in swarm.services if not service.is_job)


def not_judged(swarm: Swarm) -> dict[str, str]:
    """The services it is not about, with the reason."""
    return {
        service.name: f"a {service.mode} runs to its end, it does not serve"
        for service in swarm.services
        if service.is_job
    }


def wanted(swarm: Swarm) -> dict[str, int]:
    """Replicas wanted, by the name of every judged service."""
    return {service.name: swarm.wanted(service) for service in judged(swarm)}


def shortages(swarm: Swarm, at_least: Mapping[str, int] | None = None) -> tuple[Shortage, ...]:
    """The services that are not at full strength.

    Args:
        swarm: the snapshot.
        at_least: replicas to want at least, by service: a returned node may not be Ready yet in
            this snapshot, and then a global service seems to want fewer.
    """
    found = []
    for service in judged(swarm):
        serving = swarm.running(service)
        want = max(swarm.wanted(service), (at_least or {}).get(service.name, 0))
        if serving < want:
            why = why_missing(swarm, service) or ("not running yet",)
            found.append(Shortage(service.name, serving, want, tuple(map(Missing, why))))
    return tuple(found)


def never_back(swarm: Swarm, latest: Judgement) -> tuple[NeverBack, ...]:
    """The missing replicas that Swarm does not start again, by its own rules."""
    short = {one.service for one in latest.services if one.causes}
    return tuple(
        found
        for service in judged(swarm)
        if service.name in short
        for found in lost_for_good(swarm, service.name)
    )


def only_missing(latest: Judgement, gone: Collection[NeverBack]) -> bool:
    """Whether no replica is missing but those that Swarm does not start again."""
    counts = Counter(one.service for one in gone)
    return all(
        one.wanted - one.serving <= counts[one.service] for one in latest.services if one.causes
    )


def lost_for_good(swarm: Swarm, name: str) -> tuple[NeverBack, ...]:
    """The empty slots of a service that Swarm leaves empty."""
    service = swarm.service_by_name(name)
    if service is None:
        return ()
    names = {node.id: node.hostname for node in swarm.nodes}
    return tuple(
        NeverBack(
            service.name,
            f"in slot {task.slot} (last on {names.get(task.node_id) or 'no node'})",
            why.words(service.restart),
        )
        for task, why in restart.never_back(swarm, service)
    )


def placement(swarm: Swarm, without: Collection[str] = ()) -> Placement:
    """Replicas that serve, by service and node, leaving out some nodes' ids."""
    names = {node.id: node.hostname for node in swarm.nodes}
    return {
        service.name: dict(
            Counter(
                names[task.node_id]
                for task in swarm.serving(service)
                if task.node_id not in without
            )
        )
        for service in judged(swarm)
    }


def judge(baseline: Baseline, swarm: Swarm) -> Judgement:
    """Compare a snapshot taken after the fault with the one from before.

    For every service the wanted number of replicas must run on live nodes that are not targets,
    and every one of them either ran before, untouched, or was created after the fault.
    """
    down = {node.id for node in swarm.nodes if node.state == "down"}
    not_down = tuple(
        node.hostname
        for node in baseline.swarm.nodes
        if baseline.must_be_down and node.id in baseline.targets and node.id not in down
    )
    now = {service.id: service for service in judged(swarm)}
    services = tuple(
        _judge_service(baseline, swarm, service, now.get(service.id))
        for service in judged(baseline.swarm)
    )
    return Judgement(services, not_down)


def _judge_service(
    baseline: Baseline, swarm: Swarm, before: Service, service: Service | None
) -> ServiceJudgement:
    served = baseline.swarm.serving(before)
    want, lost = _wanted_after(baseline, before), sum(map(baseline.loses, served))
    if service is None:
        return ServiceJudgement(before.name, before.mode, want, lost, causes=(Removed(),))
    old = {task.id for task in served}
    running = [task for task in swarm.serving(service) if not baseline.loses(task)]
    stayed = {task.place for task in running if task.id in old}
    replaced: dict[tuple[int, str], str] = {}  # two tasks of one place are one replica
    doubts: list[Cause] = []
    for task in running:
        if task.id in old or task.place in stayed or task.place in replaced:
            continue
        if doubt := _doubt(baseline, task):
            doubts.append(doubt)
        else:
            replaced[task.place] = task.id
    causes: tuple[Cause, ...] = ()
    if len(stayed) + len(replaced) < want:
        why = why_missing(swarm, service, baseline.targets)
        causes = (*doubts, *map(Missing, why)) or (Missing("not running yet"),)
    if not service.is_global and service.replicas != before.replicas:
        causes += (Scaled(before.replicas, service.replicas),)
    return ServiceJudgement(
        service.name,
        service.mode,
        want,
        lost,
        len(stayed),
        frozenset(replaced.values()),
        causes,
    )


def _wanted_after(baseline: Baseline, service: Service) -> int:
    """Global tasks are not moved: without the targets so many fewer are wanted."""
    if not service.is_global:
        return service.replicas
    return len(baseline.swarm.wanted_on(service) - baseline.targets)


def _doubt(baseline: Baseline, task: Task) -> NoProof | None:
    """Why a running task does not show that the Swarm recovered; ``None`` when it does."""
    if task.id in baseline.known_tasks:
        return NoProof(task.id, existed=True)
    created = time_or_none(task.created_at)
    if created is None:
        return NoProof(task.id)
    if created < baseline.fault_at - CLOCK_SKEW:
        return NoProof(task.id, (baseline.fault_at - created).total_seconds())
    return None
