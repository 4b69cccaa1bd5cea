"""A controlled experiment: take nodes away, see whether the Swarm makes it good, put them back.

``Experiment.run`` reads as the table of contents. Whatever ends it — a verdict, an error, Ctrl-C,
SIGTERM — what was taken is put back first; only ``kill -9`` leaves that to ``chaos revert``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from swarmctl.chaos import guards, probes, undo, verdict
from swarmctl.chaos.clocks import EngineClock
from swarmctl.chaos.faults import FAULTS, Fault, Setting, known_fault
from swarmctl.chaos.interrupts import InterruptedRunError, Interrupts
from swarmctl.chaos.journal import GuardRecord, Journal, Mark, Runs, TargetRecord, Undo
from swarmctl.chaos.observer import INTERVAL_S, Observer
from swarmctl.chaos.seams import Clock, Ec2, Endpoint, Machine, Prober, Progress, Swarms
from swarmctl.chaos.targets import Selection, choose, new_seed
from swarmctl.chaos.verdict import Baseline, Judgement
from swarmctl.errors import DeadlineExceededError, RefusedError, SwarmctlError
from swarmctl.swarm.model import Node, Swarm
from swarmctl.wait import wait_for

# How long the steady state is watched before the fault, and again at the end.
STEADY_S = 2.0
# So long every probed place may take to answer once before the fault.
PROBE_PATIENCE_S = 6.0
# How long all replicas may take to serve once the nodes are back.
FINAL_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        fault: the fault's name.
        cluster: the cluster's name (its EC2 tag).
        region: where it is; kept for the journal.
        selection: which nodes.
        timeout_s: seconds from the fault until the hypothesis is refuted.
        probe_service: see :func:`swarmctl.chaos.probes.published`.
        runs: where journals are kept.
    """

    fault: str
    cluster: str
    region: str
    selection: Selection
    timeout_s: float
    probe_service: str | None
    runs: Runs


@dataclass(frozen=True)
class World:
    """What the experiment acts on.

    Args:
        swarms: the Swarm's managers.
        ec2: the machines.
        clock: the run's time.
        prober: sends the HTTP probes.
        interrupts: Ctrl-C and its relatives.
        progress: where it is said what happens.
        consent: shows the user what will happen; raises to call it off.
    """

    swarms: Swarms
    ec2: Ec2
    clock: Clock
    prober: Prober
    interrupts: Interrupts
    progress: Progress
    consent: Callable[[Sequence[str]], None]


class Experiment:
    """One run. ``journal`` holds everything known about it at any time."""

    def __init__(self, request: Request, world: World) -> None:
        """Nothing happens yet.

        Raises:
            UsageError: there is no such fault.
        """
        selection = request.selection
        if not selection.names and selection.seed is None:
            selection = replace(selection, seed=new_seed())
        self._request, self._world, self._selection = request, world, selection
        self._fault: Fault = FAULTS[known_fault(request.fault)](
            Setting(world.ec2, world.clock, world.interrupts.check, self._await, self._mark)
        )
        self._observer = Observer(
            world.swarms, world.clock, EngineClock(world.clock.started_at), self._nodes_changed
        )
        self._nodes: tuple[Node, ...] = ()
        self._machines: dict[str, list[Machine]] = {}
        self._places = probes.Places((), {}, ())
        self._aims: dict[str, tuple[Endpoint, ...]] = {}
        self._baseline: Baseline | None = None
        self._held_since: float | None = None
        self.journal = Journal(
            id=request.runs.new_id(request.fault, world.clock.started_at),
            experiment=request.fault,
            cluster=request.cluster,
            region=request.region,
            started_at=world.clock.started_at.isoformat(timespec="milliseconds"),
            parameters={
                **selection.parameters(),
                "timeout_s": request.timeout_s,
                "probe_service": request.probe_service,
            },
            hypothesis=(
                f"within {request.timeout_s:g} s of losing the targets, every service has all its "
                "wanted replicas running on live nodes, and the published ones answer"
            ),
        )

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
                    self._look_for_leftovers()
                    self._take_baseline()
                    self._check_guards()
                    self._await_answers()
                    self._ask_for_consent()
                    self._store_undo_plan()
                    self._inject()
                    self._observe()
                finally:
                    self._revert()
                self._check_again()
            except BaseException as error:
                self._end(_outcome(error))
                raise
            assert self.journal.verdict is not None
            self._end("held" if self.journal.verdict.held else "refuted")
        return self.journal

    # -- before the fault ---------------------------------------------------------------------

    def _look_for_leftovers(self) -> None:
        self._guard(guards.nothing_pending(self._request.runs.pending()))
        guards.refuse(self.journal.guards)

    def _take_baseline(self) -> None:
        self._step("baseline", f"Baseline of {self._request.cluster}")
        swarm = self._world.swarms.snapshot()
        self._nodes = choose(swarm, self._selection)
        self._machines = guards.by_name(self._world.ec2.instances(self._request.cluster))
        self._places = probes.Places(
            services=probes.published(swarm, self._request.probe_service),
            machines={name: found[0] for name, found in self._machines.items()},
            without={node.id for node in self._nodes},
        )
        self._observer.engine = self._read_engine_clock()
        self.journal.targets = tuple(self._target(node) for node in self._nodes)
        self.journal.not_judged = verdict.not_judged(swarm)
        self.journal.engine_versions = {n.hostname: n.engine_version for n in swarm.nodes}
        self._say_targets()
        # What follows must not hang on a machine that is about to go away.
        self._world.swarms.avoid(
            [address for t in self.journal.targets for address in self._addresses(t)]
        )
        self._look()

    def _check_guards(self) -> None:
        self._step("guards", "Guards")
        swarm = self._seen()
        self._guard(guards.healthy(swarm))
        self._guard(guards.quorum(swarm, self._nodes))
        self._guard(guards.owned(self._request.cluster, self._nodes, self._machines))
        guards.refuse(self.journal.guards)

    def _await_answers(self) -> None:
        """Watch the steady state, until every probed place has answered."""
        self._aim(self._seen())
        begin = self._world.clock.now()
        while True:
            self._world.interrupts.check()
            self._look()
            elapsed = self._world.clock.now() - begin
            silent = self._silent(since=begin)
            if elapsed >= (PROBE_PATIENCE_S if silent else STEADY_S):
                break
            self._status(f"a steady state: {self._strength()}")
            self._world.clock.pause(INTERVAL_S)
        silent = self._leave_out_other_protocols(silent)
        forgotten = self._places.forgotten(self._seen())
        self._guard(guards.answering(silent, sum(map(len, self._aims.values())), forgotten))
        guards.refuse(self.journal.guards)

    def _leave_out_other_protocols(self, silent: tuple[str, ...]) -> tuple[str, ...]:
        """Not every published port speaks HTTP; nobody named these, so they are left alone."""
        if self._request.probe_service is not None or not silent:
            return silent
        heard: dict[str, set[str]] = {name: set() for name in self._aims}
        for probe in self._world.prober.results():
            heard[probe.endpoint.service].add(probe.heard)
        other = {name for name, kinds in heard.items() if kinds == {"other"}}
        if not other or other == set(heard):
            return silent
        self._note(f"not probed, no HTTP behind the published port: {', '.join(sorted(other))}")
        self._places.services = [s for s in self._places.services if s.name not in other]
        self._aim(self._seen())
        return self._silent(since=0.0)

    def _ask_for_consent(self) -> None:
        self._world.consent([self._fault.describe(target) for target in self.journal.targets])

    def _store_undo_plan(self) -> None:
        self._world.interrupts.careful()
        self._world.interrupts.check()
        self._step("planned", "Undo plan")
        self.journal.undo = Undo("planned", self._fault.plan(self.journal.targets))
        try:
            self._save()
        except SwarmctlError:
            self.journal.undo = Undo()  # nothing was done and nothing will be
            raise
        where = self._request.runs.directory(self.journal.id) / "journal.json"
        self._note(f"stored before the fault: {where}")

    # -- the fault ------------------------------------------------------------------------------

    def _inject(self) -> None:
        swarm = self._look()
        if swarm is None:
            raise SwarmctlError(f"no manager answers before the fault: {self._observer.last_error}")
        late = guards.healthy(swarm)
        if not late.ok:
            raise RefusedError(f"the Swarm changed before the fault: {late.detail}", late.remedy)
        self._world.interrupts.check()
        self._step("injecting", f"Fault: {self._request.fault}")
        clock = self._world.clock
        fault_s = clock.now()
        self._baseline = Baseline(
            swarm,
            frozenset(node.id for node in self._nodes),
            self._observer.engine.origin + timedelta(seconds=fault_s),
        )
        self._observer.known_are(swarm)
        self.journal.before = verdict.placement(swarm)
        self.journal.wanted = {s.name: verdict.wanted(swarm, s) for s in verdict.judged(swarm)}
        self._mark(
            "fault", f"{self._request.fault} of {', '.join(n.hostname for n in self._nodes)}"
        )
        self._fault.inject(self.journal.targets)

    def _observe(self) -> None:
        """Follow nodes and tasks until the hypothesis holds or its time is up."""
        assert self._baseline is not None
        self._step("observing", "Observing")
        fault_s = self._fault_s()
        deadline = fault_s + self._request.timeout_s
        judgement = verdict.judge(self._baseline, self._baseline.swarm)
        while True:
            self._world.interrupts.check()
            begin = self._world.clock.now()
            self._fault.watch(self.journal.targets)
            swarm = self._look()
            if swarm:
                self._aim(swarm)
                judgement = verdict.judge(self._baseline, swarm)
                self._note_strength(judgement)
            if swarm and self._proven():
                break
            if self._world.clock.now() >= deadline:
                break
            since = self._world.clock.now() - fault_s
            self._status(f"+{since:.1f} s  {self._strength()}{self._probe_count()}")
            self._world.clock.pause(max(0.0, begin + INTERVAL_S - self._world.clock.now()))
        self._judge(judgement)

    def _note_strength(self, judgement: Judgement) -> None:
        if not judgement.held:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self._world.clock.now()
            self._mark("redistributed", "every service at full strength on live nodes")

    def _proven(self) -> bool:
        """Replicas that run are half of it: the published services must answer too."""
        return self._held_since is not None and not self._silent(since=self._held_since)

    def _judge(self, judgement: Judgement) -> None:
        trouble: list[str] = []
        if self._observer.is_blind:
            trouble.append(f"no manager answers: {self._observer.last_error}")
        if self._held_since is not None:
            trouble += self._silent(since=self._held_since)
        gave_up = trouble or self._held_since is None
        end = self._world.clock.now() if gave_up else self._held_since
        assert end is not None
        self.journal.verdict = verdict.conclude(
            judgement,
            [node.hostname for node in self._nodes],
            took=end - self._fault_s(),
            redistributed_s=self._held_since,
            trouble=trouble,
        )
        self._observer.mark_replacements(judgement.replacements)
        self.journal.after = verdict.placement(self._seen(), {node.id for node in self._nodes})
        self._mark("verdict", f"verdict: {'held' if self.journal.verdict.held else 'refuted'}")
        self._step("judged", "")

    # -- after the fault ------------------------------------------------------------------------

    def _revert(self) -> None:
        """Put back what was taken. Signals are answered meanwhile, not obeyed."""
        if not self.journal.undo.pending:
            return
        self._world.interrupts.reverting()
        self._step("reverting", "Revert")
        undo.carry_out(
            self.journal,
            undo.Undoing(
                fault=self._fault,
                look=self._look,
                why_blind=lambda: self._observer.last_error,
                clock=self._world.clock,
                status=self._await,
                mark=self._mark,
                save=self._try_save,
            ),
        )
        self._world.interrupts.reverted()

    def _check_again(self) -> None:
        """With the nodes back, everything must serve as before."""
        self._step("checking", "Check again")
        result = self.journal.verdict
        assert result is not None

        whole_since: list[float] = []

        def look() -> tuple[Swarm | None, str]:
            self._world.interrupts.check()
            swarm = self._look()
            if swarm is None:
                return None, self._observer.last_error
            self._aim(swarm)
            missing = "; ".join(verdict.shortages(swarm, self.journal.wanted))
            self._await(f"all replicas to serve, and to go on: {missing or 'they do'}")
            if missing:
                whole_since.clear()
                return None, missing
            whole_since.append(self._world.clock.now())
            return (swarm if whole_since[-1] - whole_since[0] >= STEADY_S else None), "they serve"

        try:
            swarm = wait_for(
                "all replicas to serve after the revert",
                look,
                timeout=FINAL_TIMEOUT_S,
                clock=self._world.clock.now,
                pause=self._world.clock.pause,
            )
        except DeadlineExceededError as error:
            self._mark("final-check", error.message)
            text = result.sentence.replace("HELD:", "REFUTED:", 1)
            self.journal.verdict = replace(
                result,
                held=False,
                sentence=f"{text}; {error.message}",
                reasons=(*result.reasons, error.message),
            )
            swarm = self._seen()
        else:
            self._mark("final-check", "all replicas serve", whole_since[0])
        self.journal.final = verdict.placement(swarm)

    def _end(self, outcome: str) -> None:
        self._world.prober.close()
        results = self._world.prober.results()
        self.journal.outcome, self.journal.phase = outcome, "ended"
        self.journal.ended_s = round(self._world.clock.now(), 3)
        self.journal.probes = probes.summaries(results)
        self.journal.probe_log = probes.records(results)
        self._try_save()

    # -- small things ---------------------------------------------------------------------------

    def _look(self) -> Swarm | None:
        return self._observer.look()

    def _seen(self) -> Swarm:
        if self._observer.last is None:
            raise SwarmctlError(f"no manager answers: {self._observer.last_error}")
        return self._observer.last

    def _read_engine_clock(self) -> EngineClock:
        begin = self._world.clock.now()
        theirs = self._world.swarms.now()
        middle = (begin + self._world.clock.now()) / 2
        return EngineClock(theirs - timedelta(seconds=middle))

    def _target(self, node: Node) -> TargetRecord:
        found = self._machines.get(node.hostname, [])
        return TargetRecord(
            node=node.hostname,
            node_id=node.id,
            role=node.role,
            instance_id=found[0].id if found else "",
            address=node.address,
        )

    def _addresses(self, target: TargetRecord) -> list[str]:
        found = self._machines.get(target.node, [])
        machines = [a for m in found for a in (m.address, m.private_ip) if a]
        return [target.address, *machines]

    def _say_targets(self) -> None:
        names = ", ".join(f"{t.node} ({t.instance_id or '?'})" for t in self.journal.targets)
        drawn = f", drawn with --seed {self._selection.seed}" if not self._selection.names else ""
        self._note(f"target: {names}{drawn}")

    def _aim(self, swarm: Swarm) -> None:
        self._aims = self._places.at(swarm)
        self._world.prober.aim(self._aims)

    def _silent(self, since: float) -> tuple[str, ...]:
        results = [p for p in self._world.prober.results() if p.at_s >= since]
        return probes.unanswered(results, self._aims)

    def _fault_s(self) -> float:
        at = self.journal.moment("fault")
        assert at is not None
        return at

    def _strength(self) -> str:
        if self._observer.is_blind:
            return f"no manager answers: {' '.join(self._observer.last_error.split())}"
        swarm = self._seen()
        states = [f"{n.hostname} {n.state}" for n in swarm.nodes if not n.live]
        places = verdict.placement(swarm)
        services = [
            f"{service.name} {sum(places[service.name].values())}/{verdict.wanted(swarm, service)}"
            for service in verdict.judged(swarm)
        ]
        return " · ".join([*states, *services])

    def _probe_count(self) -> str:
        results = self._world.prober.results()
        lost = sum(not probe.ok for probe in results)
        return f" · {lost} of {len(results)} probes lost" if results else ""

    def _nodes_changed(self, at: float, changes: Sequence[tuple[Node, str]]) -> None:
        targets = {target.node_id for target in self.journal.targets}
        others: dict[str, list[str]] = {}
        for node, before in changes:
            if node.id in targets and node.state == "down":
                self._mark("node-down", f"the managers call {node.hostname} Down", at)
            elif node.id in targets and node.live and before == "down":
                self._mark("node-ready", f"the managers call {node.hostname} Ready", at)
            else:
                others.setdefault(f"{before} → {node.state}", []).append(node.hostname)
        for change, names in others.items():
            self._mark("node-state", f"{', '.join(names)}: {change}", at)

    def _guard(self, record: GuardRecord) -> None:
        self.journal.guards += (record,)
        self._world.progress.note(f"{'✓' if record.ok else '✗'} {record.name}: {record.detail}")

    def _step(self, phase: str, title: str) -> None:
        self.journal.phase = phase
        if title:
            self._world.progress.step(title)
        self._try_save()

    def _mark(self, kind: str, text: str, at: float | None = None) -> None:
        moment = round(self._world.clock.now() if at is None else at, 3)
        self.journal.marks.append(Mark(moment, kind, text))
        fault = self.journal.moment("fault")
        self._note(f"+{moment - (moment if fault is None else fault):.1f} s  {text}")

    def _note(self, text: str) -> None:
        self._world.progress.note(text)

    def _status(self, text: str) -> None:
        self._world.progress.status(text)

    def _await(self, text: str) -> None:
        self._world.interrupts.doing = text
        self._world.progress.status(f"waiting for {text}")

    def _save(self) -> None:
        self.journal.samples = self._observer.samples
        self.journal.blind = self._observer.blind
        self.journal.tasks = self._observer.tasks
        self._request.runs.save(self.journal)

    def _try_save(self) -> None:
        """A full disk must not keep us from putting things back."""
        if not self.journal.targets:
            return  # a mistyped name is no run
        try:
            self._save()
        except SwarmctlError as error:
            self._note(error.message)


def _outcome(error: BaseException) -> str:
    if isinstance(error, undo.RevertFailedError):
        return "revert-failed"
    if isinstance(error, InterruptedRunError | KeyboardInterrupt):
        return "interrupted"
    return "refused" if isinstance(error, RefusedError) else "error"
