"""Watches the Swarm: looks a few times a second, and remembers when what was first seen.

A look may fail, because the manager it asked may be the machine that just died. That is no news
about the Swarm: it is kept as a blind stretch, and the next look asks the next manager.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from swarmctl.chaos.journal.journal import Sample, TaskRecord
from swarmctl.chaos.run.verdict import judged, placement
from swarmctl.chaos.world.clocks import EngineClock
from swarmctl.chaos.world.protocols import Clock, Managers
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Node, Swarm, Task

INTERVAL_S = 0.2


@dataclass
class Observer:
    """Takes snapshots and keeps what changed.

    Args:
        swarms: where snapshots come from.
        clock: the run's time.
        engine: places the Engine's timestamps on it.
        on_states: called with the time, and the nodes that changed with their state before.
        lag_s: how long after the managers' own record each change of a node's state was seen.
    """

    swarms: Managers
    clock: Clock
    engine: EngineClock
    on_states: Callable[[float, Sequence[tuple[Node, str]]], None]
    samples: list[Sample] = field(default_factory=list)
    blind: list[tuple[float, float, str]] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)
    last: Swarm | None = None
    last_error: str = ""
    _last_at: float = 0.0
    _blind_now: bool = False
    _known: frozenset[str] = frozenset()
    _tasks: dict[str, TaskRecord] = field(default_factory=dict)

    def look(self) -> Swarm | None:
        """Take a snapshot and note what is new in it; ``None`` when no manager answered."""
        asked_at = self.clock.now()
        try:
            swarm = self.swarms.snapshot()
        except SwarmctlError as error:
            self._went_blind(asked_at, error.message)
            return None
        self._saw(self.clock.now(), swarm)
        return swarm

    def known_are(self, swarm: Swarm) -> None:
        """Everything in this snapshot is old: only tasks that come later are recorded."""
        self._known = frozenset(task.id for task in swarm.tasks)
        self._tasks.clear()

    def mark_replacements(self, ids: Collection[str]) -> None:
        """These tasks made good what was lost."""
        for task_id in ids:
            if task_id in self._tasks:
                self._tasks[task_id] = replace(self._tasks[task_id], replacement=True)

    @property
    def is_blind(self) -> bool:
        """Whether the newest look saw nothing."""
        return self._blind_now

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        """The tasks that came up since, by the time they were created."""
        return tuple(sorted(self._tasks.values(), key=lambda record: record.created_s))

    def _went_blind(self, asked_at: float, why: str) -> None:
        now = round(self.clock.now(), 3)
        since = self.blind.pop()[0] if self._blind_now else round(asked_at, 3)
        self._blind_now, self.last_error = True, why
        self.blind.append((since, now, why))

    def _saw(self, at: float, swarm: Swarm) -> None:
        self._note_states(at, swarm)
        self._note_tasks(at, swarm)
        sample = _sample(at, swarm)
        previous = self.samples[-1] if self.samples else None
        if previous is None or replace(previous, at_s=sample.at_s) != sample:
            self.samples.append(sample)
        self.last, self._last_at, self._blind_now = swarm, at, False

    def _note_states(self, at: float, swarm: Swarm) -> None:
        before = {node.id: node.state for node in self.last.nodes} if self.last else {}
        changed = [
            (node, before[node.id])
            for node in swarm.nodes
            if node.id in before and before[node.id] != node.state
        ]
        # The managers' own record says when, to the millisecond; our look is a little later.
        moments: dict[float, list[tuple[Node, str]]] = {}
        for node, was in changed:
            moments.setdefault(self._when(node.updated_at, at), []).append((node, was))
        for moment, nodes in sorted(moments.items()):
            self.on_states(moment, nodes)
            self.lag_s.append(round(at - moment, 3))

    def _note_tasks(self, at: float, swarm: Swarm) -> None:
        names = {service.id: service.name for service in judged(swarm)}
        hosts = {node.id: node.hostname for node in swarm.nodes}
        for task in swarm.tasks:
            if task.id in self._known or task.service_id not in names:
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

    def _advance(self, old: TaskRecord, task: Task, host: str, at: float) -> TaskRecord:
        assigned, running = old.assigned_s, old.running_s
        if running is None and task.state == "running":
            running = max(self._when(task.updated_at, at), old.created_s)
        if assigned is None and task.node_id:
            # A record keeps the time of its newest state only: unless that still is "assigned",
            # the assignment came at some time before this look, and before it ran.
            exact = self._when(task.updated_at if task.state == "assigned" else "", at)
            assigned = max(min(exact, running or exact), old.created_s)
        return replace(
            old,
            node=host or old.node,
            state=task.state,
            assigned_s=assigned,
            running_s=running,
            error=task.error,
        )

    def _when(self, stamp: str, seen_at: float) -> float:
        """An Engine's timestamp in run time, kept within the looks before and after it.

        The stamp is finer than our looks, but another machine's clock made it.
        """
        exact = self.engine.to_run(stamp)
        within = seen_at if exact is None else min(max(exact, self._last_at), seen_at)
        return round(within, 3)


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
