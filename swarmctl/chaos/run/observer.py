"""Watches the Swarm: snapshots a few times a second, and what changed between them.

A snapshot may fail because the manager that was asked may be the machine that just died. That says
nothing about the Swarm: it is recorded as a blind stretch, and the next one asks the next manager.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from swarmctl.chaos.journal.journal import Sample, TaskRecord, Unseen
from swarmctl.chaos.run.judging import foreign
from swarmctl.chaos.run.judging.foreign import Change
from swarmctl.chaos.run.judging.judgement import judged, placement
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.stale.recorder import Recorder
from swarmctl.chaos.world.clocks import EngineClock
from swarmctl.chaos.world.protocols import Managers
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node

INTERVAL_S = 0.2
# Ten snapshots missing in a row: from then on it counts what may have happened unseen.
UNSEEN_S = 10 * INTERVAL_S


@dataclass
class Observer:
    """Takes snapshots and records in the journal what changed.

    Args:
        recorder: follows the endpoints that serve.
        engine_clock: converts the Engine's timestamps to run time; see :meth:`set_clock`.
        last_error: why the last failed snapshot failed.
        is_blind: whether the newest attempt failed.
    """

    managers: Managers
    log: RunLog
    recorder: Recorder = field(default_factory=Recorder)
    engine_clock: EngineClock = field(init=False)
    newest: Swarm | None = None
    last_error: str = ""
    is_blind: bool = False
    _newest_at: float = 0.0
    _old_tasks: frozenset[str] = frozenset()
    _tasks: dict[str, TaskRecord] = field(default_factory=dict)
    # Tasks that the managers still call running, on machines that do not answer any more.
    _silent: set[str] = field(default_factory=set)
    _marks_read: int = 0
    # Since the fault: what others changed, each with its time.
    changes: list[tuple[float, Change]] = field(default_factory=list)
    _is_run: bool = False

    def __post_init__(self) -> None:
        """Until the managers' clock has been asked, it counts as equal to ours."""
        self.engine_clock = EngineClock(self.log.clock.started_at)

    def set_clock(self) -> None:
        """Measure how far the managers' clock is from the run's.

        Raises:
            SwarmctlError: no manager answers.
        """
        begin = self.log.clock.now()
        theirs = self.managers.now()
        middle = (begin + self.log.clock.now()) / 2
        self.engine_clock = EngineClock(theirs - timedelta(seconds=middle))

    def snapshot(self) -> Swarm:
        """Take a snapshot and record what is new in it.

        Raises:
            SwarmctlError: no manager answered.
        """
        asked_at = self.log.clock.now()
        try:
            swarm = self.managers.snapshot()
        except SwarmctlError as error:
            self._went_blind(asked_at, error.message)
            raise
        self._saw(self.log.clock.now(), swarm)
        return swarm

    def ignore_tasks_of(self, swarm: Swarm) -> None:
        """From now on record only tasks that are not in this snapshot, and what others change."""
        self._is_run = True
        self._old_tasks = frozenset(task.id for task in swarm.tasks)
        self._tasks.clear()

    def mark_replacements(self, ids: Collection[str]) -> None:
        """Record that these tasks replaced what was lost."""
        for task_id in ids:
            if task_id in self._tasks:
                self._tasks[task_id] = replace(self._tasks[task_id], replacement=True)
        self._store_tasks()

    def _went_blind(self, asked_at: float, why: str) -> None:
        blind = self.log.journal.blind
        since = blind.pop()[0] if self.is_blind else round(asked_at, 3)
        self.is_blind, self.last_error = True, why
        blind.append((since, round(self.log.clock.now(), 3), why))

    def _saw(self, at: float, swarm: Swarm) -> None:
        self._note_states(at, swarm)
        self._note_tasks(at, swarm)
        self._note_silence()
        self._note_foreign(at, swarm)
        before, since = self.answering(), self._newest_at
        self.newest, self._newest_at, self.is_blind = swarm, at, False
        self._note_unseen(before, since, at)
        self._add_sample(at)
        self.recorder.saw(at, swarm, self.answering() or swarm)

    def answering(self) -> Swarm | None:
        """The newest snapshot without the tasks of machines that do not answer any more."""
        if self.newest is None or not self._silent:
            return self.newest
        tasks = tuple(task for task in self.newest.tasks if task.id not in self._silent)
        return replace(self.newest, tasks=tasks)

    def _note_foreign(self, at: float, swarm: Swarm) -> None:
        if not self._is_run or self.newest is None:
            return
        targets = {target.node for target in self.log.journal.targets}
        for change in foreign.changes(self.newest, swarm, targets):
            self.changes.append((at, change))
            if not change.is_state:  # states have marks of their own
                self.log.mark("foreign", change.text, at)

    def _note_unseen(self, before: Swarm | None, since: float, at: float) -> None:
        now = self.answering()
        if self._is_run and before and now and at - since > UNSEEN_S:
            kept = _kept(before, now)
            self.log.journal.unseen.append(Unseen(round(since, 3), round(at, 3), kept))

    def _note_silence(self) -> None:
        """From the moment a machine stops answering its replicas do not serve.

        The managers go on calling them running until they miss the node.
        """
        marks = self.log.journal.marks
        for mark in marks[self._marks_read :]:
            if mark.silenced and self.newest is not None:
                ids = {n.id for n in self.newest.nodes if n.hostname == mark.silenced}
                self._silent |= {t.id for t in self.newest.tasks if t.node_id in ids}
                self._add_sample(mark.at_s)
        self._marks_read = len(marks)

    def _add_sample(self, at: float) -> None:
        swarm, samples = self.answering(), self.log.journal.samples
        assert swarm is not None
        sample = _sample(max([at, *(s.at_s for s in samples[-1:])]), swarm)
        if not samples or replace(samples[-1], at_s=sample.at_s) != sample:
            samples.append(sample)

    def _note_states(self, at: float, swarm: Swarm) -> None:
        before = {node.id: node.state for node in self.newest.nodes} if self.newest else {}
        # The managers' own record says when, to the millisecond; our snapshot is a little later.
        moments: dict[float, list[tuple[Node, str]]] = {}
        for node in swarm.nodes:
            if (was := before.get(node.id, node.state)) != node.state:
                moments.setdefault(self._when(node.updated_at, at), []).append((node, was))
        for moment, changes in sorted(moments.items()):
            self._mark_states(moment, changes)
            self.log.journal.lag_s.append(round(at - moment, 3))

    def _mark_states(self, at: float, changes: Sequence[tuple[Node, str]]) -> None:
        targets = {target.node_id for target in self.log.journal.targets}
        others: dict[str, list[str]] = {}
        for node, before in changes:
            if node.id in targets and node.state == "down":
                self.log.mark("node-down", f"the managers call {node.hostname} Down", at)
            elif node.id in targets and node.live and before == "down":
                self.log.mark("node-ready", f"the managers call {node.hostname} Ready", at)
            else:
                others.setdefault(f"{before} → {node.state}", []).append(node.hostname)
        for change, names in others.items():
            self.log.mark("node-state", f"{', '.join(names)}: {change}", at)

    def _note_tasks(self, at: float, swarm: Swarm) -> None:
        names = {service.id: service.name for service in judged(swarm)}
        hosts = {node.id: node.hostname for node in swarm.nodes}
        for task in swarm.tasks:
            if task.id in self._old_tasks or task.service_id not in names:
                continue
            old = self._tasks.get(task.id) or TaskRecord(
                id=task.id,
                service=names[task.service_id],
                slot=task.slot,
                node="",
                state="",
                created_s=self._when(task.created_at, at),
            )
            self._tasks[task.id] = self._advance(old, task, hosts.get(task.node_id, ""), at)
        self._store_tasks()

    def _store_tasks(self) -> None:
        self.log.journal.tasks = tuple(sorted(self._tasks.values(), key=lambda t: t.created_s))

    def _advance(self, old: TaskRecord, task: Task, host: str, at: float) -> TaskRecord:
        assigned, running, ended = old.assigned_s, old.running_s, old.ended_s
        if ended is None and task.ended:
            ended = max(self._when(task.updated_at, at), old.created_s)
        if running is None and task.state == "running":
            running = max(self._when(task.updated_at, at), old.created_s)
        if assigned is None and task.node_id:
            # A record keeps the time of its newest state only: unless that is still "assigned",
            # it was assigned at some time before this snapshot, and before it ran.
            exact = self._when(task.updated_at if task.state == "assigned" else "", at)
            assigned = max(min(exact, running or exact), old.created_s)
        return replace(
            old,
            node=host or old.node,
            state=task.state,
            assigned_s=assigned,
            running_s=running,
            ended_s=ended,
            error=task.error,
        )

    def _when(self, stamp: str, seen_at: float) -> float:
        """An Engine's timestamp in run time, kept within the snapshots before and after it.

        It is finer than our snapshots, but comes from another machine's clock.
        """
        exact = self.engine_clock.to_run(stamp)
        within = seen_at if exact is None else min(max(exact, self._newest_at), seen_at)
        return round(within, 3)


def _kept(before: Swarm, now: Swarm) -> dict[str, int]:
    """By service, how many places the same task fills in both snapshots."""
    served = {task.id for service in judged(before) for task in before.serving(service)}
    return {
        service.name: len({t.place for t in now.serving(service) if t.id in served})
        for service in judged(now)
    }


def _sample(at: float, swarm: Swarm) -> Sample:
    places = placement(swarm)
    per_node: Counter[str] = Counter()
    for counts in places.values():
        per_node.update(counts)
    return Sample(
        at_s=round(at, 3),
        services={name: sum(counts.values()) for name, counts in places.items()},
        nodes={node.hostname: per_node[node.hostname] for node in swarm.nodes},
        states={node.hostname: node.state for node in swarm.nodes},
    )
