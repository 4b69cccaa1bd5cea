"""Observation: from the fault to the verdict, until the hypothesis is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal import agreement
from swarmctl.chaos.probes.summary import Stretch
from swarmctl.chaos.report import words as report_words
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import judgement, settling, tolerance, words
from swarmctl.chaos.run.judging.judgement import Baseline, Judgement
from swarmctl.chaos.run.judging.reasons import (
    CutOff,
    EndpointSilent,
    FaultEnded,
    FaultUnfinished,
    FaultUnseen,
    ManagersSilent,
    NeverBack,
    Outlived,
    Reason,
    TooLate,
    Unsettled,
    Updated,
    refutes,
)
from swarmctl.chaos.run.observer import INTERVAL_S
from swarmctl.chaos.run.own_link import OwnLink
from swarmctl.swarm.model import Swarm

# After a brief outage, full strength must last this long: managers detect the outage late.
OUTAGE_SETTLING_S = 5.0
# So much longer than its duration a fault is observed whose nodes are slow to show that it lasts.
SHOW_S = 10.0
# A replica that Swarm does not replace is given up when snapshots have shown that for so long.
_NEVER_BACK_S = 2.0


def observe(context: Context) -> None:
    """Follow nodes, tasks and probes until there is a verdict in the journal.

    Raises:
        InterruptedRunError: a signal came.
    """
    assert context.baseline is not None
    _Observation(context, context.baseline, context.log.fault_s).run()
    assert context.journal.verdict is not None
    context.duplicates.count(context.journal.verdict.services)
    context.log.step("judged")


@dataclass
class _Observation:
    """Watches until full strength is proven and the fault has lasted, or nothing can come of it."""

    context: Context
    baseline: Baseline
    short_since: float  # what the time allowed counts from: the fault, or a later loss; run time
    held_since: float | None = None  # run time
    proven: bool = False  # full strength has lasted since then, and every probed place answers
    slowest_s: float = 0.0  # of all returns to full strength
    in_force_since: float | None = None  # on every target, run time
    settling_s: float = 0.0
    gone: tuple[NeverBack, ...] = ()
    gone_since: float | None = None
    _replaced: frozenset[str] = frozenset()
    link: OwnLink = field(init=False)

    def __post_init__(self) -> None:
        """The nodes that the fault leaves alone show whether this machine is cut off."""
        others = [n for n in self.baseline.swarm.nodes if n.id not in self.baseline.targets]
        names = [node.hostname for node in others if node.live]
        self.link = OwnLink(self.context.world.shell.reachable, names)

    def run(self) -> None:
        """Until there is a verdict."""
        context, log = self.context, self.context.log
        log.step("observing", "Observing")
        now = log.clock.now
        latest = judgement.judge(self.baseline, self.baseline.swarm)
        self.link.heard(now())
        while True:
            context.world.interrupts.check()
            begin = now()
            context.fault.watch(context.journal.targets)
            if self.in_force_since is None and context.fault.took_effect():
                self.in_force_since = now()
            swarm = context.watch.try_snapshot()
            if swarm is None:
                self.link.no_manager(now)
            else:
                self.link.heard(begin)
                latest = judgement.judge(self.baseline, swarm)
                self._note_strength(latest, swarm)
            if context.fault.end or self._ends_early(latest) or now() >= self._deadline():
                break
            self.proven = self.proven or (swarm is not None and self._is_proven())
            if swarm and self.proven and self._lasted():
                break
            strength = f"{context.watch.strength()}{context.watch.probe_count()}"
            log.progress.status(f"+{now() - log.fault_s:.1f} s  {strength}")
            context.world.events.wait(max(0.0, begin + INTERVAL_S - now()))
        self._conclude(latest)

    def _note_strength(self, latest: Judgement, swarm: Swarm) -> None:
        log, now = self.context.log, self.context.log.clock.now()
        missing = "; ".join(map(words.reason, latest.reasons))
        if not missing and not self._replaced <= latest.replacements:
            missing = "a replacement had to be replaced"
        if self.held_since is not None and missing:
            log.mark("shortage", f"no longer at full strength: {missing}")
            if self.proven:  # a loss of its own, with the same time allowed
                self.short_since = now
            self.held_since, self.proven = None, False
        self._replaced = latest.replacements
        if latest.held and self.held_since is None and self.context.fault.took_effect():
            self.held_since = now
            self.slowest_s = max(self.slowest_s, now - self.short_since)
            log.mark("redistributed", "every service at full strength on live nodes")
        self.settling_s = settling.settling_s(swarm, latest, self.context.journal.tasks)
        if self.context.kind.effect is Effect.RETURNS:
            self.settling_s = max(self.settling_s, OUTAGE_SETTLING_S)
        self.gone = judgement.never_back(swarm, latest)
        nothing_else = not latest.not_down and judgement.only_missing(latest, self.gone)
        self.gone_since = (self.gone_since or now) if self.gone and nothing_else else None

    def _ends_early(self, latest: Judgement) -> bool:
        """Whether waiting is of no use: what is missing cannot come back, or others changed it."""
        if latest.reasons and not any(map(refutes, latest.reasons)):
            return True
        return self.gone_since is not None and self._now() >= self.gone_since + _NEVER_BACK_S

    def _lasted(self) -> bool:
        """Whether the fault was seen in force on every target for its whole duration."""
        since, duration_s = self.in_force_since, self.context.duration_s
        if since is None or not duration_s:
            return since is not None
        return self.context.fault.seen_s() >= since + duration_s

    def _is_proven(self) -> bool:
        """Whether every replica runs, and goes on running, and every probed place answers too."""
        if self.held_since is None or self.context.watch.silent(since=self.held_since):
            return False
        return self._now() >= self.held_since + self.settling_s

    def _deadline(self) -> float:
        """The time allowed; the fault's duration and the settling may end later."""
        within = self.short_since + self.context.hypothesis.within_s
        ends = [within]
        if self.in_force_since is not None and self.context.duration_s:
            ends.append(self.in_force_since + self.context.duration_s + SHOW_S)
        if self.held_since is not None and self.held_since <= within:
            ends.append(self.held_since + self.settling_s)
        return max(ends)

    def _now(self) -> float:
        return self.context.log.clock.now()

    def _conclude(self, latest: Judgement) -> None:
        context, journal, log = self.context, self.context.journal, self.context.log
        reasons = self._reasons(latest)
        held_s = None if reasons else self.held_since
        context.result = words.Result(
            judgement=latest,
            targets=tuple(target.what for target in journal.targets),
            past_tense=context.kind.past_tense,
            took_s=self._now() - self.short_since if self.held_since is None else self.slowest_s,
            redistributed_s=held_s,
            reasons=reasons,
            tasks_only=bool(self.baseline.killed),
            meanwhile=context.meanwhile(),
        )
        journal.verdict = words.verdict(context.result)
        context.watch.observer.mark_replacements(latest.replacements)
        journal.after = judgement.placement(context.watch.newest(), self.baseline.targets)
        if context.fault.end is None and not context.result.meanwhile:  # else it was not predicted
            _compare_with_prediction(context)
        log.mark("verdict", f"verdict: {journal.verdict.outcome}")

    def _reasons(self, latest: Judgement) -> tuple[Reason, ...]:
        """Why it did not hold. After the end of the fault, what is missing shows nothing."""
        context = self.context
        updated = [
            Updated(change.text)
            for _, change in context.watch.observer.changes
            if change.updated in context.journal.wanted
        ]
        end = context.fault.end
        cut_off = self.link.is_cut_off(context.watch.prober.results())
        if end:
            found: list[Reason] = [FaultEnded(end.what, end.at_s - context.log.fault_s)]
        elif cut_off:  # the latest snapshot is old
            found = [*self._too_late()]
        else:
            found = [*latest.reasons, *self.gone, *self._unsettled(latest)]
        context.watch.await_probes()
        unseen = self.link.cut_off(context.watch.prober.results())
        broken = self._broken(without=unseen)
        if cut_off or (unseen and broken != self._broken()):
            since, until = max(
                unseen or self.link.stretches, key=lambda stretch: stretch[1] - stretch[0]
            )
            at_s = max(0.0, since - context.log.fault_s)
            found.append(CutOff(at_s, until - since))
        return (*found, *updated, *broken)

    def _broken(self, without: Sequence[Stretch] = ()) -> tuple[Reason, ...]:
        """The tolerances that were not kept; probes of some stretches can be left out."""
        context, fault_s = self.context, self.context.log.fault_s
        return tolerance.broken(
            context.hypothesis,
            fault_s,
            context.journal.samples,
            context.watch.summaries(fault_s, without),
            context.watch.every_node_summaries(without),
            context.journal.unseen,
        )

    def _unsettled(self, latest: Judgement) -> list[Reason]:
        """Reasons besides missing replicas and the user's tolerances."""
        observer, fault, now = self.context.watch.observer, self.context.fault, self._now()
        found: list[Reason] = []
        if observer.is_blind:
            found.append(ManagersSilent(observer.last_error))
        if not fault.took_effect():
            found.append(FaultUnfinished(self.context.kind.effect is Effect.RETURNS))
        elif self.in_force_since is not None and not (self._ends_early(latest) or self._lasted()):
            lasted_s = max(0.0, fault.seen_s() - self.in_force_since)
            found.append(FaultUnseen(lasted_s, self.context.duration_s))
        if self.held_since is None:
            return found
        found += self._too_late()
        if now < self.held_since + self.settling_s:
            found.append(Unsettled(now - self.held_since, self.settling_s))
        elif lived := settling.outlived(latest, self.context.journal.tasks, now - self.held_since):
            found += [Outlived(name, lived_s, now - self.held_since) for name, lived_s in lived]
        silent = self.context.watch.silent(since=self.held_since)
        return [*found, *(EndpointSilent(str(one)) for one in silent)]

    def _too_late(self) -> list[TooLate]:
        within_s = self.context.hypothesis.within_s
        return [TooLate(self.slowest_s, within_s)] if self.slowest_s > within_s else []


def _compare_with_prediction(context: Context) -> None:
    """Leave out services whose replicas fail on their own: their placement keeps changing."""
    journal, log = context.journal, context.log
    if journal.prediction is None:
        return
    left_out = {task.service for task in journal.tasks if task.node and task.state != "running"}
    seen = {name: nodes for name, nodes in journal.after.items() if name not in left_out}
    journal.agreement = agreement.compare(journal.prediction, seen, left_out)
    log.note(f"placement {report_words.agreement(journal)}")
