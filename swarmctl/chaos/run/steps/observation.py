"""Observation: from the fault to the verdict, until the hypothesis is decided."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal import agreement
from swarmctl.chaos.report import words as report_words
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import judgement, tolerance, words
from swarmctl.chaos.run.judging.judgement import Baseline, Judgement
from swarmctl.chaos.run.judging.reasons import (
    FaultUnfinished,
    ManagersSilent,
    PlaceSilent,
    Reason,
    TooLate,
)
from swarmctl.chaos.run.observer import INTERVAL_S

# After a brief outage, full strength must last this long: managers detect the outage late.
BLINK_S = 5.0


def observe(context: Context) -> None:
    """Follow nodes, tasks and probes until there is a verdict in the journal.

    Raises:
        InterruptedRunError: a signal came.
    """
    assert context.baseline is not None
    _Observation(context, context.baseline).run()
    assert context.journal.verdict is not None
    context.duplicates.count(context.journal.verdict.services)
    context.log.step("judged")


@dataclass
class _Observation:
    """Watches until full strength is proven and the fault has lasted, or the time is up."""

    context: Context
    baseline: Baseline
    held_since: float | None = None  # run time

    def run(self) -> None:
        """Until there is a verdict."""
        context, log = self.context, self.context.log
        log.step("observing", "Observing")
        fault_s, now = log.fault_s, log.clock.now
        deadline = fault_s + max(context.hypothesis.within_s, context.duration_s)
        latest = judgement.judge(self.baseline, self.baseline.swarm)
        while True:
            context.world.interrupts.check()
            begin = now()
            context.fault.watch(context.journal.targets)
            swarm = context.watch.try_snapshot()
            if swarm:
                latest = judgement.judge(self.baseline, swarm)
                self._note_strength(latest)
            if swarm and self._proven() and now() >= fault_s + context.duration_s:
                break
            if now() >= deadline:
                break
            strength = f"{context.watch.strength()}{context.watch.probe_count()}"
            log.progress.status(f"+{now() - fault_s:.1f} s  {strength}")
            context.world.events.wait(max(0.0, begin + INTERVAL_S - now()))
        self._conclude(latest)

    def _note_strength(self, latest: Judgement) -> None:
        log = self.context.log
        if not (latest.held and self.context.fault.took_effect()):
            if self.held_since is not None:
                why = "; ".join(map(words.reason, latest.reasons))
                log.mark("shortage", f"no longer at full strength: {why}")
            self.held_since = None
        elif self.held_since is None:
            self.held_since = log.clock.now()
            log.mark("redistributed", "every service at full strength on live nodes")

    def _proven(self) -> bool:
        """Whether every replica runs, and every probed place answers too."""
        if self.held_since is None or self.context.watch.silent(since=self.held_since):
            return False
        blinks = self.context.kind.effect is Effect.RETURNS
        return not blinks or self.context.log.clock.now() >= self.held_since + BLINK_S

    def _conclude(self, latest: Judgement) -> None:
        context, journal, log = self.context, self.context.journal, self.context.log
        unsettled = self._unsettled()
        gave_up = unsettled or self.held_since is None
        end = log.clock.now() if gave_up or self.held_since is None else self.held_since
        context.watch.await_probes()
        probes = context.watch.summaries(since=log.fault_s)
        every_node = context.watch.every_node_summaries()
        broken = tolerance.broken(
            context.hypothesis, log.fault_s, journal.samples, probes, every_node
        )
        reasons = (*latest.reasons, *unsettled, *broken)
        context.result = words.Result(
            judgement=latest,
            targets=tuple(target.what for target in journal.targets),
            past=context.kind.past,
            took_s=end - log.fault_s,
            redistributed_s=None if reasons else self.held_since,
            reasons=reasons,
            tasks_only=bool(self.baseline.killed),
        )
        journal.verdict = words.verdict(context.result)
        context.watch.observer.mark_replacements(latest.replacements)
        journal.after = judgement.placement(context.watch.newest(), self.baseline.targets)
        _compare_with_prediction(context)
        log.mark("verdict", f"verdict: {'held' if journal.verdict.held else 'refuted'}")

    def _unsettled(self) -> list[Reason]:
        """Reasons to refute, besides missing replicas and the user's tolerances."""
        observer, within_s = self.context.watch.observer, self.context.hypothesis.within_s
        found: list[Reason] = []
        if observer.is_blind:
            found.append(ManagersSilent(observer.last_error))
        if not self.context.fault.took_effect():
            found.append(FaultUnfinished())
        if self.held_since is None:
            return found
        took_s = self.held_since - self.context.log.fault_s
        if took_s > within_s:
            found.append(TooLate(took_s, within_s))
        silent = self.context.watch.silent(since=self.held_since)
        return [*found, *(PlaceSilent(str(one)) for one in silent)]


def _compare_with_prediction(context: Context) -> None:
    """Leave out services whose replicas fail on their own: their placement keeps changing."""
    journal, log = context.journal, context.log
    if journal.prediction is None:
        return
    left_out = {task.service for task in journal.tasks if task.node and task.state != "running"}
    seen = {name: nodes for name, nodes in journal.after.items() if name not in left_out}
    journal.agreement = agreement.compare(journal.prediction, seen, left_out)
    if left_out:
        log.note(f"not compared, they do not come up: {', '.join(sorted(left_out))}")
    log.note(f"placement {report_words.agreement(journal)}")
