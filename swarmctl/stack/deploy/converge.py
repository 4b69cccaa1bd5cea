"""Waiting until what was deployed really runs.

``docker stack deploy`` returns before anything runs, and ``--detach=false`` has no deadline and
hangs on one-shot services (docker/cli#5299). Here a service has converged when all of its wanted
tasks are made from its *current* spec, run on *live* nodes, no task of an older spec serves any
more, no update is under way, and that state has held for a while. (A task with a health check runs
only once it is healthy.)

:func:`judge` decides from one snapshot; :func:`wait` looks until all services have converged, one
has failed, or the time is up.

Swarm forgets ``UpdateStatus`` at every new update (swarmkit manager/controlapi/service.go,
UpdateService), so a ``rollback_completed`` that is there belongs to the last deploy. Only when the
deploy did not touch a service can it be older: ``since`` tells.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown
from swarmctl.reading.times import parse_time
from swarmctl.swarm.model import Service, Swarm, Task

# Of an update that went wrong. "paused" and "rollback_paused" wait for a person.
_FAILED_UPDATES = ("paused", "rollback_started", "rollback_paused", "rollback_completed")

# Seconds a state must hold to count. Where tasks have crashed it is watched for longer: as long as
# Swarm itself watches an updated task by default (update_config.monitor).
SETTLE = 2.0
SETTLE_AFTER_FAILURES = 5.0


class NotConvergedError(SwarmctlError):
    """An update failed, or the time ran out; the message has the tasks' errors."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far one service is."""

    service: str
    state: str  # "converged", "progressing" or "failed"
    ready: int  # tasks of the current spec that serve (of a job: have completed)
    wanted: int
    reason: str = ""  # why it is not converged
    errors: tuple[str, ...] = ()  # what its tasks complain about, most frequent first
    failures: int = 0  # tasks of the current spec that have failed so far
    serving: frozenset[str] = frozenset()  # ids of the tasks that serve

    @property
    def converged(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.state == "converged"

    def __str__(self) -> str:
        text = f"{self.service} {self.ready}/{self.wanted}"
        return f"{text}: {self.reason}" if self.reason else text


def judge(swarm: Swarm, service: Service, since: datetime | None = None) -> Judgement:
    """How far a service is, from one snapshot.

    Args:
        swarm: the snapshot.
        service: one of its services.
        since: updates that began before are none of ours; ``None`` when all are.
    """
    tasks = swarm.tasks_of(service)
    mine = [t for t in tasks if _is_current(service, t)]
    serving = [t for t in swarm.serving(service) if _is_current(service, t)]
    old = [t for t in swarm.serving(service) if not _is_current(service, t)]
    wanted = swarm.wanted(service)
    ready = swarm.completed(service) if service.is_job else len({t.place for t in serving})
    state, reason = _verdict(swarm, service, ready, wanted, len(serving), len(old), since)
    failed = state == "failed"
    return Judgement(
        service=service.name,
        state=state,
        ready=ready,
        wanted=wanted,
        reason=reason,
        # After a rollback the current spec is the old one again: the culprits are the other tasks.
        errors=() if state == "converged" else _complaints(swarm, tasks if failed else mine),
        failures=sum(t.state in ("failed", "rejected") for t in mine),
        serving=frozenset(t.id for t in serving),
    )


def _verdict(
    swarm: Swarm,
    service: Service,
    ready: int,
    wanted: int,
    serving: int,
    old: int,
    since: datetime | None,
) -> tuple[str, str]:
    if service.update_state in _FAILED_UPDATES and _is_ours(service, since):
        state = service.update_state.replace("_", " ")
        return "failed", f"update {state}" + (
            f": {service.update_message}" if service.update_message else ""
        )
    if service.is_job:
        return ("converged", "") if ready >= wanted else ("progressing", "completing")
    if ready < wanted:
        stranded = len(swarm.stranded(service))
        return "progressing", (
            f"{stranded} on nodes that do not answer" if stranded else "starting"
        )
    if old:
        return "progressing", f"{old} of the old version still there"
    if serving > wanted:
        return "progressing", f"{serving - wanted} too many still there"
    if service.update_state == "updating":
        return "progressing", "update under way"
    return "converged", ""


def _is_current(service: Service, task: Task) -> bool:
    return task.spec_hash == service.spec_hash and task.job_iteration == service.job_iteration


def _is_ours(service: Service, since: datetime | None) -> bool:
    if since is None or not service.update_started_at:
        return True
    return parse_time(service.update_started_at) >= since


def _complaints(swarm: Swarm, tasks: Collection[Task]) -> tuple[str, ...]:
    """What tasks say is wrong, equal words counted: ``no such image (3 times, on wkr1)``."""
    words: Counter[str] = Counter()
    places: dict[str, set[str]] = {}
    for task in tasks:
        text = task.error or (task.message if task.state == "pending" else "")
        if not text or task.state in ("running", "complete"):
            continue
        text = " ".join(text.split())
        words[text] += 1
        node = swarm.node_by_id(task.node_id)
        places.setdefault(text, set()).update([node.hostname] if node else [])
    return tuple(
        f"{text} ({', '.join(_how_often(count, places[text]))})"
        for text, count in words.most_common(5)
    )


def _how_often(count: int, places: Collection[str]) -> list[str]:
    times = "once" if count == 1 else f"{count} times"
    return [times, f"on {', '.join(sorted(places))}"] if places else [times]


def judge_stack(swarm: Swarm, stack: str, since: datetime | None = None) -> list[Judgement]:
    """How far each service of a stack is.

    Raises:
        UsageError: no such stack is deployed; the hint lists those that are.
    """
    services = swarm.stack_services(stack)
    if not services:
        raise unknown("deployed stack", stack, swarm.stacks())
    return [judge(swarm, service, since) for service in services]


class Looks(Protocol):
    """Where snapshots come from: a SwarmClient, or better a Failover."""

    def snapshot(self) -> Swarm:
        """The Swarm now; raises SwarmctlError while no manager answers."""


@dataclass(slots=True)
class _Settling:
    """Since when the same tasks have been serving."""

    settle: float
    tasks: frozenset[str] = frozenset()
    since: float | None = None

    def has_settled(self, judgements: list[Judgement], now: float) -> bool:
        if not all(j.converged for j in judgements):
            self.since = None
            return False
        tasks = frozenset().union(*(j.serving for j in judgements))
        if self.since is None or tasks != self.tasks:
            self.since, self.tasks = now, tasks
        shaky = self.settle and any(j.failures for j in judgements)
        return now - self.since >= (
            max(self.settle, SETTLE_AFTER_FAILURES) if shaky else self.settle
        )


def wait(
    swarm: Looks,
    stack: str,
    *,
    timeout: float,
    settle: float = SETTLE,
    since: datetime | None = None,
    interval: float = 0.5,
    progress: Callable[[list[Judgement]], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[Judgement]:
    """Wait until every service of a stack has converged.

    Args:
        swarm: where snapshots come from; while it fails, the wait goes on.
        stack: the name it was deployed under.
        timeout: seconds until the wait fails.
        settle: seconds the state must hold; at least five once tasks have crashed, unless 0.
        since: as in :func:`judge`.
        interval: seconds between two looks.
        progress: called after every look.
        clock: monotonic seconds; replaced in tests.
        pause: replaced in tests.

    Returns:
        The last judgement of each service, all converged.

    Raises:
        NotConvergedError: an update failed or was rolled back, or the time is up.
        UsageError: no such stack is deployed.
        SwarmctlError: the time is up and the Swarm could never be asked.
    """
    deadline = clock() + timeout
    settling = _Settling(settle)
    judgements: list[Judgement] = []
    silence: SwarmctlError | None = None
    while True:
        try:
            snapshot, silence = swarm.snapshot(), None
        except SwarmctlError as fault:
            silence = fault
        else:
            judgements = judge_stack(snapshot, stack, since)
            progress(judgements)
            if failed := [j for j in judgements if j.state == "failed"]:
                raise _not_converged(f"the stack {stack} was not deployed", failed)
            if settling.has_settled(judgements, clock()):
                return judgements
        if clock() >= deadline:
            raise _too_late(stack, timeout, judgements, silence)
        pause(interval)


def _too_late(
    stack: str, timeout: float, judgements: list[Judgement], silence: SwarmctlError | None
) -> SwarmctlError:
    waited = f"waited {timeout:g} s for the stack {stack}"
    if silence:
        return NotConvergedError(f"{waited}; {silence.message}", silence.hint)
    open_ones = [j for j in judgements if not j.converged]
    if not open_ones:
        return NotConvergedError(
            f"{waited}: all services run, but not for long enough yet to be sure",
            "tasks may be crashing and restarting; give it a longer --timeout",
        )
    return _not_converged(f"{waited}, which has not converged", open_ones)


def _not_converged(what: str, judgements: list[Judgement]) -> NotConvergedError:
    lines = [what]
    for judgement in judgements:
        lines.append(f"  {judgement}")
        lines += [f"    {complaint}" for complaint in judgement.errors]
    worst = judgements[0].service
    return NotConvergedError(
        "\n".join(lines),
        f"on a manager: docker service ps --no-trunc {worst}; docker service logs {worst}",
    )
