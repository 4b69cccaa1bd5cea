"""A controlled experiment: take something away, see whether the Swarm makes it good, put it back.

``Experiment.run`` reads as the table of contents. Whatever ends it — a verdict, an error, Ctrl-C,
SIGTERM — what was taken is put back first; only ``kill -9`` leaves that to ``chaos revert``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from swarmctl.chaos.fault.fault import Fault, FaultContext
from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.fault.selection import new_seed
from swarmctl.chaos.faults import known_fault, make_fault
from swarmctl.chaos.journal.journal import Journal, Undo
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import Runs, brief
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes import planned, summary
from swarmctl.chaos.probes.host_ports import read_host_ports
from swarmctl.chaos.probes.probe import Prober
from swarmctl.chaos.probes.published import ServiceEndpoints, probed_services
from swarmctl.chaos.run import guards, prepare, undo, verdict
from swarmctl.chaos.run.duplicates import Duplicates
from swarmctl.chaos.run.final_check import final_check
from swarmctl.chaos.run.interrupts import InterruptedRunError, Interrupts
from swarmctl.chaos.run.observation import Observation
from swarmctl.chaos.run.observer import Observer
from swarmctl.chaos.run.prepare import Aim
from swarmctl.chaos.run.record import Record
from swarmctl.chaos.run.verdict import Baseline
from swarmctl.chaos.run.watch import PROBE_PATIENCE_S, Watch
from swarmctl.chaos.world.clocks import EngineClock
from swarmctl.chaos.world.protocols import Clock, Ec2, Events, Managers, Progress, Shell
from swarmctl.errors import DeadlineExceededError, RefusedError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Node
from swarmctl.wait import wait_for

# How long revert and final check may take, beyond what the run itself does: the lock's time.
_SPARE_S = 1200.0
_RELEASE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Request:
    """What the user asked for, and of what.

    Args:
        plan: what is to be done; one round of it.
        cluster: the cluster's name (its EC2 tag).
        region: where it is; kept for the journal.
        runs: where journals are kept.
        campaign: the same for all runs of one command.
    """

    plan: Plan
    cluster: str
    region: str
    runs: Runs
    campaign: str = ""


@dataclass(frozen=True)
class World:
    """What the experiment acts on.

    Args:
        swarms: the Swarm's managers.
        ec2: the machines.
        shell: commands on them.
        clock: the run's time.
        alerts: says when a look is worth it.
        prober: sends the probes.
        interrupts: Ctrl-C and its relatives.
        progress: where it is said what happens.
        consent: shows the user what will happen; raises to call it off.
    """

    swarms: Managers
    ec2: Ec2
    shell: Shell
    clock: Clock
    alerts: Events
    prober: Prober
    interrupts: Interrupts
    progress: Progress
    consent: Callable[[Sequence[str]], None]


class Experiment:
    """One run. ``journal`` holds everything known about it at any time."""

    def __init__(self, request: Request, world: World) -> None:
        """Nothing happens yet.

        Raises:
            UsageError: there is no such fault, or it is not about such targets.
        """
        self._request, self._world, self._plan = request, world, request.plan
        self._kind = known_fault(self._plan.fault).with_options(self._plan.options)
        self._selection = self._plan.selection
        self._kind.check_selection(self._selection)
        if self._selection.drawn and self._selection.seed is None:
            self._selection = replace(self._selection, seed=new_seed())
        self._duration_s = (
            self._kind.duration_s if self._plan.duration_s is None else self._plan.duration_s
        )
        self._observer = Observer(
            world.swarms, world.clock, EngineClock(world.clock.started_at), self._nodes_changed
        )
        self.journal = Journal(
            id=request.runs.new_id(self._kind.name, world.clock.started_at),
            experiment=self._kind.name,
            cluster=request.cluster,
            region=request.region,
            started_at=world.clock.started_at.isoformat(timespec="milliseconds"),
            parameters=self._parameters(),
            hypothesis=str(self._plan.hypothesis),
            title=self._plan.title,
            campaign=request.campaign,
        )
        self._record = Record(
            self.journal,
            request.runs,
            world.clock,
            world.progress,
            world.interrupts,
            self._observer,
            self._plan.limits.overrides,
        )
        self._fault: Fault = make_fault(self._kind.name, self._fault_context())
        self._watch = Watch(
            self._observer, world.prober, ServiceEndpoints((), {}, ()), self._record
        )
        self._watch.patience_s = planned.retry_time_s(self._plan.probes, PROBE_PATIENCE_S)
        self._duplicates = Duplicates(world.shell, self._record, self._kind.keeps_running)
        self._aim = Aim(())
        self._baseline: Baseline | None = None
        self._lock_id = ""

    def run(self) -> Journal:
        """Run it to its end.

        Returns:
            The journal; its ``outcome`` is ``held`` or ``refuted``.

        Raises:
            RefusedError: a guard forbids it; nothing was touched.
            InterruptedRunError: a signal came; everything is put back.
            RevertFailedError: something could not be put back.
            SwarmctlError: anything else; everything is put back.
        """
        with self._request.runs.lock(), self._world.interrupts:
            try:
                try:
                    self._prepare()
                    guards.refuse(self.journal.guards)
                    self._await_answers()
                    self._world.consent(self._lines())
                    self._store_undo_plan()
                    self._inject()
                    self._observe()
                finally:
                    self._revert()
                final_check(self._watch, self._record, self._duplicates.left)
            except BaseException as error:
                self._end(_outcome(error))
                raise
            assert self.journal.verdict is not None
            self._end("held" if self.journal.verdict.held else "refuted")
        return self.journal

    def rehearse(self) -> Journal:
        """Do all that comes before the fault, and nothing of what follows.

        Returns:
            The journal: targets, guards, prediction, and the undo plan there would be. It is not
            stored.

        Raises:
            SwarmctlError: the Swarm or EC2 cannot be asked.
        """
        self._record.kept = False
        with self._world.interrupts:
            self._prepare()
            self.journal.undo = Undo("none", self._fault.undo_steps(self.journal.targets))
            self.journal.outcome = "rehearsed"
        return self.journal

    def _lines(self) -> list[str]:
        return [self._fault.describe(target) for target in self.journal.targets]

    # -- before the fault ---------------------------------------------------------------------

    def _prepare(self) -> None:
        """Baseline and guards. All guards are said, also behind one that refuses."""
        self._record.guard(guards.nothing_pending(self._request.runs.pending()))
        guards.refuse(self.journal.guards)
        self._take_baseline()
        self._record.step("guards", "Guards")
        swarm = self._watch.seen()
        expected = prepare.forecast(self._world.swarms, self._kind, self._aim)
        self.journal.prediction = expected
        limits = self._plan.limits
        self._record.guard(prepare.lock_guard(self._world.swarms))
        for guard in prepare.judge(
            swarm,
            self._kind,
            self._selection,
            self._aim,
            self._request.cluster,
            limits,
            expected,
        ):
            self._record.guard(guard)
        self._record.guard(guards.in_window(limits.window, datetime.now(UTC)))
        self._record.guard(guards.possible(self._fault.refusal(self.journal.targets)))

    def _take_baseline(self) -> None:
        self._record.step("baseline", f"Baseline of {self._request.cluster}")
        swarm = self._world.swarms.snapshot()
        machines = self._world.ec2.instances(self._request.cluster)
        self._aim = prepare.take_aim(swarm, self._kind, self._selection, machines)
        self._watch.places = ServiceEndpoints(
            services=probed_services(swarm, self._plan.probe_service, self._plan.probes),
            machines={name: found[0] for name, found in self._aim.machines.items()},
            excluded={node.id for node in self._aim.nodes} if self._leaves_nodes else (),
            planned=planned.by_service(self._plan.probes),
            fixed=planned.fixed_endpoints(self._plan.probes),
        )
        wanted = {s.name: swarm.wanted(s) for s in verdict.judged(swarm)}
        self._plan = replace(self._plan, hypothesis=self._plan.hypothesis.resolved(wanted))
        self.journal.hypothesis = str(self._plan.hypothesis)
        self._observer.engine = self._read_engine_clock()
        self.journal.targets = self._aim.records(swarm)
        self.journal.not_judged = verdict.not_judged(swarm)
        self.journal.engine_versions = {n.hostname: n.engine_version for n in swarm.nodes}
        names = ", ".join(f"{t.what} ({t.instance_id or '?'})" for t in self.journal.targets)
        drawn = f", drawn with --seed {self._selection.seed}" if self._selection.drawn else ""
        self._record.note(f"target: {names}{drawn}")
        if self._kind.effect is not Effect.TASKS:
            # What follows must not hang on a machine that is about to go away.
            self._world.swarms.avoid(self._aim.addresses())
        self._observer.look()

    @property
    def _leaves_nodes(self) -> bool:
        """Whether the targets are nodes that nothing is expected of meanwhile."""
        return self._kind.effect in (Effect.DOWN, Effect.DRAINED)

    def _await_answers(self) -> None:
        seen = self._watch.seen()
        missing = self._watch.places.missing_ports(seen)
        self._watch.places.remember(read_host_ports(self._world.shell, seen, missing))
        listed = planned.names_services(self._plan.probes)
        named = listed or self._plan.probe_service is not None
        silent = self._watch.await_answers(named)
        asked = sum(map(len, self._watch.aims.values()))
        forgotten = self._watch.places.without_ports(self._watch.seen())
        self._record.guard(guards.answering(silent, asked, forgotten))
        guards.refuse(self.journal.guards)

    def _store_undo_plan(self) -> None:
        self._world.interrupts.careful()
        self._world.interrupts.check()
        self._record.step("planned", "Undo plan")
        self.journal.undo = Undo("planned", self._fault.undo_steps(self.journal.targets))
        try:
            self._record.save()
            self._lock_id = lock.acquire(
                self._world.swarms.engine,
                lock.CHAOS,
                self._ttl_s,
                lock.me(f"chaos {self.journal.id}"),
                brief(self.journal),
            )
        except SwarmctlError:
            self.journal.undo = Undo()  # nothing was done and nothing will be
            raise
        where = self._request.runs.directory(self.journal.id) / "journal.json"
        self._record.note(f"stored before the fault: {where}, and in the Swarm's chaos lock")

    # -- the fault ------------------------------------------------------------------------------

    def _inject(self) -> None:
        swarm = self._watch.look()
        if swarm is None:
            raise SwarmctlError(f"no manager answers before the fault: {self._observer.last_error}")
        late = guards.healthy(swarm)
        if not late.ok and late.name not in self._plan.limits.overrides:
            raise RefusedError(f"the Swarm changed before the fault: {late.detail}", late.remedy)
        self._world.interrupts.check()
        self._record.step("injecting", f"Fault: {self._plan.fault}")
        fault_s = self._world.clock.now()
        self._baseline = Baseline(
            swarm,
            frozenset(node.id for node in self._aim.nodes) if self._leaves_nodes else frozenset(),
            self._observer.engine.origin + timedelta(seconds=fault_s),
            killed=frozenset(task.id for task in self._aim.tasks),
            must_be_down=self._kind.effect is Effect.DOWN,
        )
        self._observer.known_are(swarm)
        self.journal.before = verdict.placement(swarm)
        self.journal.wanted = {s.name: swarm.wanted(s) for s in verdict.judged(swarm)}
        names = ", ".join(target.what for target in self.journal.targets)
        self._record.mark("fault", f"{self._plan.fault} of {names}")
        self._fault.inject(self.journal.targets)

    def _observe(self) -> None:
        """Follow nodes and tasks until the hypothesis holds or its time is up."""
        assert self._baseline is not None
        Observation(
            watch=self._watch,
            record=self._record,
            alerts=self._world.alerts,
            fault=self._fault,
            kind=self._kind,
            hypothesis=self._plan.hypothesis,
            duration_s=self._duration_s,
            baseline=self._baseline,
        ).run()
        assert self.journal.verdict is not None
        self._duplicates.count(self.journal.verdict.services)
        self._record.step("judged")

    # -- after the fault ------------------------------------------------------------------------

    def _revert(self) -> None:
        """Put back what was taken. Signals are answered meanwhile, not obeyed."""
        if not self.journal.undo.pending:
            return
        self._world.interrupts.reverting()
        self._record.step("reverting", "Revert")
        undo.carry_out(
            self.journal,
            undo.Undoing(
                fault=self._fault,
                effect=self._kind.effect,
                look=self._observer.look,
                why_blind=lambda: self._observer.last_error,
                clock=self._world.clock,
                status=self._record.awaiting,
                mark=self._record.mark,
                save=self._record.try_save,
            ),
        )
        self._release()
        self._world.interrupts.reverted()

    def _release(self) -> None:
        """Give the lock up; the managers may still be electing a leader."""
        if not self._lock_id:
            return

        def look() -> tuple[bool | None, str]:
            try:
                lock.release(self._world.swarms.engine, self._lock_id)
            except SwarmctlError as fault:
                return None, fault.message
            return True, ""

        try:
            wait_for(
                "the Swarm's chaos lock to be given up",
                look,
                timeout=_RELEASE_TIMEOUT_S,
                interval=1.0,
                clock=self._world.clock.now,
                pause=self._world.clock.pause,
            )
        except DeadlineExceededError as fault:
            self._record.note(f"{fault.message}; give it up: {lock.CHAOS.unlock}")

    def _end(self, outcome: str) -> None:
        self._world.prober.close()
        results = self._world.prober.results()
        self.journal.outcome, self.journal.phase = outcome, "ended"
        self.journal.ended_s = round(self._world.clock.now(), 3)
        self.journal.probes = summary.summaries(results)
        self.journal.probe_log = summary.records(results)
        self.journal.phases = phases(self.journal)
        self._record.try_save()

    # -- small things ---------------------------------------------------------------------------

    def _parameters(self) -> dict[str, Any]:
        return {
            **self._selection.parameters(),
            **self._plan.options.parameters(self._kind.takes),
            "timeout_s": self._plan.hypothesis.within_s,
            "duration_s": self._duration_s,
            "probe_service": self._plan.probe_service,
            "overrides": sorted(self._plan.limits.overrides),
        }

    @property
    def _ttl_s(self) -> float:
        return max(self._plan.hypothesis.within_s, self._duration_s) + _SPARE_S

    def _fault_context(self) -> FaultContext:
        world = self._world
        return FaultContext(
            ec2=world.ec2,
            shell=world.shell,
            engine=world.swarms.engine,
            clock=world.clock,
            check=world.interrupts.check,
            status=self._record.awaiting,
            mark=self._record.mark,
            options=self._plan.options,
            run_id=self.journal.id,
            ttl_s=max(self._plan.hypothesis.within_s, self._duration_s) + 60.0,
        )

    def _read_engine_clock(self) -> EngineClock:
        begin = self._world.clock.now()
        theirs = self._world.swarms.now()
        middle = (begin + self._world.clock.now()) / 2
        return EngineClock(theirs - timedelta(seconds=middle))

    def _nodes_changed(self, at: float, changes: Sequence[tuple[Node, str]]) -> None:
        targets = {target.node_id for target in self.journal.targets}
        others: dict[str, list[str]] = {}
        for node, before in changes:
            if node.id in targets and node.state == "down":
                self._record.mark("node-down", f"the managers call {node.hostname} Down", at)
            elif node.id in targets and node.live and before == "down":
                self._record.mark("node-ready", f"the managers call {node.hostname} Ready", at)
            else:
                others.setdefault(f"{before} → {node.state}", []).append(node.hostname)
        for change, names in others.items():
            self._record.mark("node-state", f"{', '.join(names)}: {change}", at)


def _outcome(error: BaseException) -> str:
    if isinstance(error, undo.RevertFailedError):
        return "revert-failed"
    if isinstance(error, InterruptedRunError | KeyboardInterrupt):
        return "interrupted"
    return "refused" if isinstance(error, RefusedError) else "error"
