"""Everything the steps of one run share: what was asked, the world, and what is known so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swarmctl.chaos import faults
from swarmctl.chaos.fault.fault import Fault, FaultContext
from swarmctl.chaos.fault.kind import Effect, Kind, Options
from swarmctl.chaos.fault.selection import new_seed
from swarmctl.chaos.journal.journal import Journal, TargetRecord
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes import planned
from swarmctl.chaos.probes.probe import Prober
from swarmctl.chaos.probes.published import ServiceEndpoints
from swarmctl.chaos.run.duplicates import Duplicates
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.judging import settling
from swarmctl.chaos.run.judging.judgement import Baseline
from swarmctl.chaos.run.judging.words import Result
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.observer import Observer
from swarmctl.chaos.run.watch import PROBE_PATIENCE_S, Watch
from swarmctl.chaos.stale.pollers import Listeners
from swarmctl.chaos.stale.recorder import Recorder
from swarmctl.chaos.world.protocols import (
    Clock,
    Consent,
    Ec2,
    Events,
    Machine,
    Managers,
    Progress,
    Shell,
)
from swarmctl.prediction import Prediction
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node

# A node heals by itself so many seconds after the fault should be over: the time in which full
# strength must last, and as much again for slow nodes.
_HEALS_AFTER_S = 2 * settling.LIMIT_S


@dataclass(frozen=True)
class Request:
    """What the user asked for, and where."""

    plan: Plan  # one round of it
    cluster: str  # the cluster's EC2 tag
    region: str  # for the journal
    runs: Runs
    campaign: str = ""  # the same for all runs of one command


@dataclass(frozen=True)
class World:
    """What an experiment acts on and reports to."""

    managers: Managers
    ec2: Ec2
    shell: Shell
    clock: Clock
    events: Events
    prober: Prober
    interrupts: Interrupts
    progress: Progress
    consent: Consent | None = None  # asked before the fault; None: the user has consented
    listeners: Listeners | None = None  # asked during the run; None: no one is
    renewer: Engine | None = None  # a connection of its own: shows that the lock's owner is alive


@dataclass(frozen=True)
class Targets:
    """What a selection means in one snapshot."""

    nodes: tuple[Node, ...] = ()
    tasks: tuple[Task, ...] = ()  # single ones, if the fault is about tasks
    machines: Mapping[str, Sequence[Machine]] = field(default_factory=dict)  # by name

    def renewed(self, swarm: Swarm, machines: Mapping[str, Sequence[Machine]]) -> Targets:
        """The same targets as they are in a newer snapshot; those that are gone are left out."""
        nodes, tasks = {node.id for node in self.nodes}, {task.id for task in self.tasks}
        return Targets(
            tuple(node for node in swarm.nodes if node.id in nodes),
            tuple(task for task in swarm.tasks if task.id in tasks and not task.ended),
            machines,
        )

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
            instance_id=found[0].id if len(found) == 1 else "",
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


@dataclass
class Context:
    """One run. The first parts are fixed; the steps fill in the rest, and the log's journal."""

    plan: Plan  # with its seed
    kind: Kind
    cluster: str
    world: World
    log: RunLog
    watch: Watch
    fault: Fault
    duplicates: Duplicates
    hypothesis: Hypothesis  # from the baseline on: with numbers of replicas
    targets: Targets = field(default_factory=Targets)
    prediction: Prediction | None = None  # where the lost replicas will go
    baseline: Baseline | None = None  # the Swarm right before the fault
    result: Result | None = None  # what the verdict puts into words
    lock_id: str = ""  # of the Swarm's chaos lock, while it is held
    stop_renewing: Callable[[], None] = lambda: None

    @property
    def journal(self) -> Journal:
        """The run's journal."""
        return self.log.journal

    @property
    def duration_s(self) -> float:
        """How long the fault lasts at least."""
        return _duration_s(self.plan, self.kind)

    def meanwhile(self) -> tuple[str, ...]:
        """What others changed in the Swarm since the fault, each with its time."""
        fault_s = self.log.fault_s
        changes = self.watch.observer.changes
        return tuple(f"{change.text} (+{at - fault_s:.1f} s)" for at, change in changes)

    @property
    def loses_nodes(self) -> bool:
        """Whether the targets are nodes on which nothing counts during the fault."""
        return self.kind.effect in (Effect.DOWN, Effect.DRAINED)


def make_context(request: Request, world: World) -> Context:
    """The context of a new run, with an empty journal. Touches nothing.

    Raises:
        UsageError: there is no such fault, or it is not about such targets.
    """
    plan = request.plan
    kind = faults.FAULTS[plan.fault].with_options(plan.options)
    kind.check_selection(plan.selection)
    if plan.selection.drawn and plan.selection.seed is None:
        plan = replace(plan, selection=replace(plan.selection, seed=new_seed()))
    started = world.clock.started_at
    journal = Journal(
        id=request.runs.new_id(kind.name, started),
        experiment=kind.name,
        cluster=request.cluster,
        region=request.region,
        started_at=started.isoformat(timespec="milliseconds"),
        parameters=_parameters(plan, kind),
        hypothesis=str(plan.hypothesis),
        title=plan.title,
        campaign=request.campaign,
    )
    log = RunLog(
        journal,
        request.runs,
        world.clock,
        world.progress,
        world.interrupts,
        plan.limits.overrides,
    )
    heals_after_s = plan.hypothesis.within_s + _duration_s(plan, kind) + _HEALS_AFTER_S
    return Context(
        plan=plan,
        kind=kind,
        cluster=request.cluster,
        world=world,
        log=log,
        watch=Watch(
            Observer(world.managers, log, Recorder(world.listeners)),
            world.prober,
            ServiceEndpoints((), {}, ()),
            log,
            planned.retry_time_s(plan.probes, PROBE_PATIENCE_S),
        ),
        fault=make_fault(
            kind, plan.options, world.managers.engine, world.ec2, world.shell, log, heals_after_s
        ),
        duplicates=Duplicates(world.shell, log, kind.keeps_running),
        hypothesis=plan.hypothesis,
    )


def make_fault(
    kind: Kind,
    options: Options,
    engine: Engine,
    ec2: Ec2,
    shell: Shell,
    log: RunLog,
    heals_after_s: float = 900.0,
) -> Fault:
    """The fault of a run, connected to the world and to the run's log.

    Args:
        heals_after_s: seconds after which a node heals by itself.
    """
    return faults.make_fault(
        kind.name,
        FaultContext(
            ec2=ec2,
            shell=shell,
            engine=engine,
            clock=log.clock,
            check=log.interrupts.check,
            status=log.awaiting,
            mark=log.mark,
            options=options,
            run_id=log.journal.id,
            ttl_s=heals_after_s,
        ),
    )


def _duration_s(plan: Plan, kind: Kind) -> float:
    return kind.duration_s if plan.duration_s is None else plan.duration_s


def _parameters(plan: Plan, kind: Kind) -> dict[str, Any]:
    return {
        **plan.selection.parameters(),
        **plan.options.parameters(kind.option_names),
        "timeout_s": plan.hypothesis.within_s,
        "duration_s": _duration_s(plan, kind),
        "probe_service": plan.only_service,
        "overrides": sorted(plan.limits.overrides),
    }
