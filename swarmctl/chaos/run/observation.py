"""From the fault to the verdict: follow nodes, tasks and probes until the hypothesis is decided."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.fault.fault import Fault
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.journal import agreement
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.report import foreseen
from swarmctl.chaos.run import verdict
from swarmctl.chaos.run.observer import INTERVAL_S
from swarmctl.chaos.run.record import Record
from swarmctl.chaos.run.verdict import Baseline, Judgement
from swarmctl.chaos.run.watch import Watch
from swarmctl.chaos.world.protocols import Events

# Where nodes only blink, full strength must last so long: the managers hear of it a little later.
BLINK_S = 5.0


@dataclass
class Observation:
    """Looks until full strength is proven and the fault has lasted, or the time is up.

    Args:
        watch: looks at the Swarm and its services.
        record: the run's.
        alerts: says when a look is worth it.
        fault: that is in force.
        kind: of the fault.
        hypothesis: what is expected.
        duration_s: seconds the fault lasts at least.
        baseline: the Swarm right before the fault.
    """

    watch: Watch
    record: Record
    alerts: Events
    fault: Fault
    kind: Kind
    hypothesis: Hypothesis
    duration_s: float
    baseline: Baseline
    _held_since: float | None = None

    def run(self) -> None:
        """Until there is a verdict in the journal."""
        self.record.step("observing", "Observing")
        fault_s, clock = self.record.fault_s, self.record.clock
        deadline = fault_s + max(self.hypothesis.within_s, self.duration_s)
        judgement = verdict.judge(self.baseline, self.baseline.swarm)
        while True:
            self.record.interrupts.check()
            begin = clock.now()
            self.fault.watch(self.record.journal.targets)
            swarm = self.watch.look()
            if swarm:
                judgement = verdict.judge(self.baseline, swarm)
                self._note_strength(judgement)
            if swarm and self._proven() and clock.now() >= fault_s + self.duration_s:
                break
            if clock.now() >= deadline:
                break
            since = clock.now() - fault_s
            counts = self.watch.probe_count()
            self.record.status(f"+{since:.1f} s  {self.watch.strength()}{counts}")
            self.alerts.wait(max(0.0, begin + INTERVAL_S - clock.now()))
        self._judge(judgement)

    def _note_strength(self, judgement: Judgement) -> None:
        if not (judgement.held and self.fault.took_effect()):
            if self._held_since is not None:
                self.record.mark("shortage", f"not any more: {'; '.join(judgement.reasons)}")
            self._held_since = None
        elif self._held_since is None:
            self._held_since = self.record.clock.now()
            self.record.mark("redistributed", "every service at full strength on live nodes")

    def _proven(self) -> bool:
        """Replicas that run are half of it: the published services must answer too."""
        if self._held_since is None or self.watch.silent(since=self._held_since):
            return False
        blinks = self.kind.effect is Effect.RETURNS
        return not blinks or self.record.clock.now() >= self._held_since + BLINK_S

    def _judge(self, judgement: Judgement) -> None:
        journal, observer = self.record.journal, self.watch.observer
        trouble = self._trouble()
        gave_up = trouble or self._held_since is None
        fault_s = self.record.fault_s
        trouble += self.hypothesis.against(
            fault_s, observer.samples, self.watch.summaries(since=fault_s)
        )
        end = self.record.clock.now() if gave_up else self._held_since
        assert end is not None
        journal.verdict = verdict.conclude(
            judgement,
            [target.what for target in journal.targets],
            past=self.kind.past,
            killed=bool(self.baseline.killed),
            took=end - fault_s,
            redistributed_s=self._held_since,
            trouble=trouble,
        )
        observer.mark_replacements(judgement.replacements)
        journal.after = verdict.placement(self.watch.seen(), self.baseline.targets)
        self._compare()
        self.record.mark("verdict", f"verdict: {'held' if journal.verdict.held else 'refuted'}")

    def _trouble(self) -> list[str]:
        """What speaks against it apart from the tasks."""
        found = []
        if self.watch.observer.is_blind:
            found.append(f"no manager answers: {self.watch.observer.last_error}")
        if not self.fault.took_effect():
            found.append("the fault did not come to its end in time")
        if self._held_since is None:
            return found
        took, within = self._held_since - self.record.fault_s, self.hypothesis.within_s
        if took > within:
            found.append(f"full strength came after {took:.1f} s, {within:g} s are allowed")
        return [*found, *self.watch.silent(since=self._held_since)]

    def _compare(self) -> None:
        """Replicas that fail by themselves go on moving: where they were placed proves nothing."""
        journal = self.record.journal
        if journal.prediction is None:
            return
        tasks = self.watch.observer.tasks
        left_out = {task.service for task in tasks if task.node and task.state != "running"}
        seen = {name: nodes for name, nodes in journal.after.items() if name not in left_out}
        journal.agreement = agreement.compare(journal.prediction, seen)
        if left_out:
            journal.agreement["left_out"] = sorted(left_out)
            self.record.note(f"not compared, they do not come up: {', '.join(sorted(left_out))}")
        self.record.note(f"placement {foreseen.headline(journal)}")
