"""Whether the Swarm made good what it lost: pure functions over what the managers said.

The service's own counter is never used. It goes on counting the replicas of a dead node until
their replacements are scheduled (moby shows 10/10 with three of them gone), so everything here is
computed from tasks *and* node states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from swarmctl.chaos.journal.journal import Placement, ServiceOutcome, Verdict
from swarmctl.reading.times import time_or_none
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
        targets: ids of the nodes that will be taken away; nothing on them counts afterwards.
        fault_at: the managers' clock when the fault began; ``None`` while nothing is broken yet.
        killed: ids of single tasks that will be ended.
        must_be_down: whether the managers must call the targets Down.
    """

    swarm: Swarm
    targets: frozenset[str]
    fault_at: datetime | None = None
    killed: frozenset[str] = frozenset()
    must_be_down: bool = True

    @property
    def known(self) -> frozenset[str]:
        """The tasks that existed before the fault."""
        return frozenset(task.id for task in self.swarm.tasks)


@dataclass(frozen=True)
class Judgement:
    """What one snapshot amounts to.

    Args:
        services: every judged service.
        not_down: targets the managers do not call Down.
        replacements: ids of the tasks that make good what was lost.
    """

    services: tuple[ServiceOutcome, ...]
    not_down: tuple[str, ...]
    replacements: frozenset[str]

    @property
    def held(self) -> bool:
        """Redistributed: the targets are Down and every service is at full strength without."""
        return not self.not_down and all(service.held for service in self.services)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not, one line each."""
        nodes = tuple(f"{node}: the managers do not call it Down" for node in self.not_down)
        return nodes + tuple(
            f"{outcome.service} {outcome.serving}/{outcome.wanted}: {reason}"
            for outcome in self.services
            for reason in outcome.reasons
        )


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


def shortages(swarm: Swarm, at_least: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """What is missing for every service to be at full strength, one line each.

    Args:
        swarm: the snapshot.
        at_least: replicas to want at least, by service: a node that has just come back may not
            have been given its global tasks yet.
    """
    floor = at_least or {}
    lines = []
    for service in judged(swarm):
        serving = swarm.running(service)
        want = max(swarm.wanted(service), floor.get(service.name, 0))
        if serving < want:
            reasons = "; ".join(why_missing(swarm, service)) or "not running yet"
            lines.append(f"{service.name} {serving}/{want}: {reasons}")
    return tuple(lines)


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
    """Weigh a snapshot taken after the fault against the one from before.

    For every service the wanted number of replicas must run on live nodes that are not targets,
    and every one of them either ran before, untouched, or was created after the fault.
    """
    down = {node.id for node in swarm.nodes if node.state == "down"}
    not_down = tuple(
        node.hostname
        for node in baseline.swarm.nodes
        if baseline.must_be_down and node.id in baseline.targets and node.id not in down
    )
    after = {service.id: service for service in judged(swarm)}
    weighed = [
        _weigh(baseline, swarm, service, after.get(service.id))
        for service in judged(baseline.swarm)
    ]
    return Judgement(
        services=tuple(outcome for outcome, _ in weighed),
        not_down=not_down,
        replacements=frozenset(task_id for _, ids in weighed for task_id in ids),
    )


def _weigh(
    baseline: Baseline, swarm: Swarm, before: Service, service: Service | None
) -> tuple[ServiceOutcome, frozenset[str]]:
    served = {task.id: task for task in baseline.swarm.serving(before)}
    lost = sum(
        task.node_id in baseline.targets or task.id in baseline.killed for task in served.values()
    )
    want = _wanted_after(baseline, before)
    if service is None:
        gone = ("the service was removed during the run",)
        return ServiceOutcome(before.name, before.mode, want, lost, 0, 0, gone), frozenset()

    running = [
        task
        for task in swarm.serving(service)
        if task.node_id not in baseline.targets and task.id not in baseline.killed
    ]
    stayed = [task for task in running if task.id in served]
    taken = {task.place for task in stayed}
    replacements: list[Task] = []
    doubts: list[str] = []
    for task in running:
        if task.id in served or task.place in taken:
            continue
        doubt = _doubt(baseline, task)
        if doubt:
            doubts.append(doubt)
            continue
        taken.add(task.place)
        replacements.append(task)

    reasons: tuple[str, ...] = ()
    if len(taken) < want:
        found = (*doubts, *why_missing(swarm, service, baseline.targets))
        reasons = found or ("replicas are missing, and no task says why",)
    if service.mode == "replicated" and service.replicas != before.replicas:
        reasons += (f"scaled from {before.replicas} to {service.replicas} during the run",)
    outcome = ServiceOutcome(
        service=service.name,
        mode=service.mode,
        wanted=want,
        lost=lost,
        stayed=len(taken) - len(replacements),
        replaced=len(replacements),
        reasons=reasons,
    )
    return outcome, frozenset(task.id for task in replacements)


def _wanted_after(baseline: Baseline, service: Service) -> int:
    """Global tasks are not moved: without the targets there are so many fewer to want."""
    if not service.is_global:
        return service.replicas
    return len(baseline.swarm.wanted_on(service) - baseline.targets)


def _doubt(baseline: Baseline, task: Task) -> str:
    """Why a running task is no proof that the Swarm recovered; ``""`` when it is one."""
    if task.id in baseline.known:
        return f"task {task.id[:12]} runs, but it existed before the fault"
    created = time_or_none(task.created_at)
    if created is None:
        return f"task {task.id[:12]} runs, but does not say when it was created"
    if baseline.fault_at is not None and created < baseline.fault_at - CLOCK_SKEW:
        early = (baseline.fault_at - created).total_seconds()
        return f"task {task.id[:12]} runs, but was created {early:.1f} s before the fault"
    return ""


def conclude(
    judgement: Judgement,
    targets: Sequence[str],
    *,
    past: str = "was lost",
    killed: bool = False,
    took: float,
    redistributed_s: float | None,
    trouble: Sequence[str] = (),
) -> Verdict:
    """Put a judgement into one sentence.

    Args:
        judgement: of the last snapshot.
        targets: names of what was taken away.
        past: what happened to them; completes "swarm_app_wkr2 …".
        killed: whether they are single tasks.
        took: seconds from the fault until it held, or until the run gave up waiting.
        redistributed_s: when it held, in run time.
        trouble: what speaks against it apart from the tasks.
    """
    serving = sum(outcome.serving for outcome in judgement.services)
    want = sum(outcome.wanted for outcome in judgement.services)
    lost = sum(outcome.lost for outcome in judgement.services if outcome.mode == "replicated")
    verb = past if len(targets) == 1 else past.replace("was ", "were ", 1)
    gone = f"{_listing(targets)} {verb}"
    reasons = (*judgement.reasons, *trouble)
    if reasons:
        text = f"REFUTED: {gone}; {serving}/{want} replicas serve after {took:.1f} s. "
        return Verdict(False, text + "; ".join(reasons), judgement.services, reasons)
    restarted = len(judgement.replacements)
    if restarted and (killed or not lost):
        what = f"serve again after {took:.1f} s ({restarted} restarted)"
    elif lost:
        what = f"redistributed in {took:.1f} s ({lost} restarted on other nodes)"
    else:
        what = f"serve after {took:.1f} s (none had to move)"
    text = f"HELD: {gone}; {serving}/{want} replicas {what}"
    return Verdict(True, text, judgement.services, (), redistributed_s)


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
