"""Wait until a deployed stack really runs.

``docker stack deploy`` returns before anything runs, and ``--detach=false`` has no deadline and
hangs on one-shot services (docker/cli#5299). Here a service has converged when all its wanted tasks
have its *current* spec and run on *live* nodes, no task of an older spec serves any more, no update
is under way, and that state has lasted for a while. (A task with a health check is running only
once it is healthy.)

:func:`convergence_of` decides from one snapshot; :func:`wait` polls until all services have
converged, one has failed, or the time is up.

Swarm clears ``UpdateStatus`` at every new update (swarmkit manager/controlapi/service.go,
UpdateService), so a ``rollback_completed`` belongs to the last deploy, unless that deploy did not
change the service: ``since`` tells these apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.reading.names import unknown
from swarmctl.reading.times import parse_time
from swarmctl.swarm.missing import on_lost_nodes
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.wait import CLOCK, Clock

# States of a failed update; "paused" and "rollback_paused" last until an operator acts.
_FAILED_UPDATES = ("paused", "rollback_started", "rollback_paused", "rollback_completed")

# Seconds a state must last. After task failures it is longer: as long as Swarm itself monitors an
# updated task by default (update_config.monitor).
SETTLE = 2.0
SETTLE_AFTER_FAILURES = 5.0

State = Literal["converged", "progressing", "failed"]


@dataclass(frozen=True, slots=True)
class Convergence:
    """How far one service has converged."""

    service: str
    state: State
    ready: int  # tasks of the current spec that serve (of a job: that have completed)
    wanted: int
    reason: str = ""  # why it has not converged
    errors: tuple[str, ...] = ()  # errors of its tasks, most frequent first
    failures: int = 0  # tasks of the current spec that have failed so far
    serving: frozenset[str] = frozenset()  # ids of the tasks that serve

    @property
    def converged(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.state == "converged"

    def __str__(self) -> str:
        text = f"{self.service} {self.ready}/{self.wanted}"
        return f"{text}: {self.reason}" if self.reason else text


Progress = Callable[[Sequence[Convergence]], None]


class NotConvergedError(SwarmctlError):
    """An update failed, or the time is up.

    Args:
        what: what was waited for, in one line.
        services: those that have not converged.
        timed_out: whether the time was up; otherwise an update failed.
        hint: what to do next; by default the commands that show more about the first service.
    """

    def __init__(
        self,
        what: str,
        services: Sequence[Convergence] = (),
        *,
        timed_out: bool = False,
        hint: str = "",
    ) -> None:
        self.what = what
        self.services = tuple(services)
        self.timed_out = timed_out
        lines = [what]
        for service in services:
            lines += [f"  {service}", *(f"    {error}" for error in service.errors)]
        if services and not hint:
            name = word(services[0].service)
            hint = f"on a manager: docker service ps --no-trunc {name}; docker service logs {name}"
        super().__init__("\n".join(lines), hint)


def convergence_of(swarm: Swarm, service: Service, since: datetime | None = None) -> Convergence:
    """How far a service has converged in one snapshot.

    Args:
        swarm: the snapshot.
        service: one of its services.
        since: a failed update that began earlier is ignored; ``None`` ignores none.
    """
    tasks = swarm.tasks_of(service)
    current = [t for t in tasks if _is_current(service, t)]
    serving = [t for t in swarm.serving(service) if _is_current(service, t)]
    old = [t for t in swarm.serving(service) if not _is_current(service, t)]
    wanted = swarm.wanted(service)
    ready = swarm.completed(service) if service.is_job else len({t.place for t in serving})
    state: State
    if failure := _update_failure(service, since):
        state, reason = "failed", failure
    else:
        reason = _waiting_for(swarm, service, ready, wanted, len(serving), len(old))
        state = "progressing" if reason else "converged"
    # After a rollback the current spec is the old one again: the errors are in the other tasks.
    with_errors = {"converged": (), "progressing": current, "failed": tasks}[state]
    return Convergence(
        service=service.name,
        state=state,
        ready=ready,
        wanted=wanted,
        reason=reason,
        errors=_task_errors(swarm, with_errors),
        failures=sum(t.state in ("failed", "rejected") for t in current),
        serving=frozenset(t.id for t in serving),
    )


def _update_failure(service: Service, since: datetime | None) -> str:
    if service.update_state not in _FAILED_UPDATES:
        return ""
    if since and service.update_started_at and parse_time(service.update_started_at) < since:
        return ""
    text = f"update {service.update_state.replace('_', ' ')}"
    return f"{text}: {service.update_message}" if service.update_message else text


def _waiting_for(
    swarm: Swarm, service: Service, ready: int, wanted: int, serving: int, old: int
) -> str:
    """What a service still has to do; ``""`` when it has converged."""
    if service.is_job:
        return "completing" if ready < wanted else ""
    if ready < wanted:
        return ", ".join(on_lost_nodes(swarm, service)) or "starting"
    if old:
        return f"{old} of the old version still running"
    if serving > wanted:
        return f"{serving - wanted} too many still running"
    return "update under way" if service.update_state == "updating" else ""


def _is_current(service: Service, task: Task) -> bool:
    return service.is_current(task) and task.job_iteration == service.job_iteration


def _task_errors(swarm: Swarm, tasks: Collection[Task]) -> tuple[str, ...]:
    """The tasks' errors, equal ones counted: ``no such image (3 times, on wkr1)``."""
    counts: Counter[str] = Counter()
    nodes: dict[str, set[str]] = {}
    for task in tasks:
        text = task.error or (task.message if task.state == "pending" else "")
        if not text or task.state in ("running", "complete"):
            continue
        text = " ".join(text.split())
        counts[text] += 1
        node = swarm.node_by_id(task.node_id)
        nodes.setdefault(text, set()).update([node.hostname] if node else [])
    return tuple(
        f"{text} ({', '.join(_how_often(count, nodes[text]))})"
        for text, count in counts.most_common(5)
    )


def _how_often(count: int, nodes: Collection[str]) -> list[str]:
    times = "once" if count == 1 else f"{count} times"
    return [times, f"on {', '.join(sorted(nodes))}"] if nodes else [times]


def convergence_of_stack(
    swarm: Swarm, stack: str, since: datetime | None = None
) -> list[Convergence]:
    """How far each service of a stack has converged.

    Raises:
        UsageError: no such stack is deployed; the hint lists the deployed ones.
    """
    services = swarm.stack_services(stack)
    if not services:
        raise unknown("deployed stack", stack, swarm.stacks())
    return [convergence_of(swarm, service, since) for service in services]


def totals(services: Sequence[Convergence]) -> str:
    """The tasks of each service: ``web 3/3, api 2/2``."""
    return ", ".join(f"{s.service} {s.ready}/{s.wanted}" for s in services)


@dataclass(slots=True)
class _Settling:
    """For how long the same tasks have been serving."""

    settle: float
    tasks: frozenset[str] = frozenset()
    since: float | None = None

    def has_settled(self, services: Sequence[Convergence], now: float) -> bool:
        if not all(service.converged for service in services):
            self.since = None
            return False
        tasks = frozenset().union(*(service.serving for service in services))
        if self.since is None or tasks != self.tasks:
            self.since, self.tasks = now, tasks
        failed_before = self.settle and any(service.failures for service in services)
        needed = max(self.settle, SETTLE_AFTER_FAILURES) if failed_before else self.settle
        return now - self.since >= needed


def wait(
    snapshot: Callable[[], Swarm],
    stack: str,
    *,
    timeout: float,
    settle: float = SETTLE,
    since: datetime | None = None,
    interval: float = 0.5,
    progress: Progress = lambda _: None,
    clock: Clock = CLOCK,
) -> list[Convergence]:
    """Wait until every service of a stack has converged.

    Args:
        snapshot: returns the Swarm now; while it raises SwarmctlError, the wait goes on.
        stack: the name it was deployed under.
        timeout: seconds until the wait fails.
        settle: seconds the state must last; at least five once tasks have failed, unless 0.
        since: as in :func:`convergence_of`.
        interval: seconds between two polls; ``progress`` is called after each.
        progress: shows how far the services are.
        clock: replaced in tests.

    Returns:
        The services, all converged.

    Raises:
        NotConvergedError: an update failed or was rolled back, or the time is up.
        UsageError: no such stack is deployed.
    """
    deadline = clock.now() + timeout
    settling = _Settling(settle)
    services: list[Convergence] = []
    while True:
        no_answer: SwarmctlError | None = None
        try:
            swarm = snapshot()
        except SwarmctlError as fault:
            no_answer = fault
        else:
            services = convergence_of_stack(swarm, stack, since)
            progress(services)
            if failed := [service for service in services if service.state == "failed"]:
                raise NotConvergedError(f"the stack {stack} was not deployed", failed)
            if settling.has_settled(services, clock.now()):
                return services
        if clock.now() >= deadline:
            raise _too_late(stack, timeout, services, no_answer)
        clock.pause(interval)


def _too_late(
    stack: str, timeout: float, services: Sequence[Convergence], no_answer: SwarmctlError | None
) -> NotConvergedError:
    waited = f"waited {timeout:g} s for the stack {stack}"
    if no_answer:
        text, hint = f"{waited}; {no_answer.message}", no_answer.hint
        return NotConvergedError(text, timed_out=True, hint=hint)
    late = [service for service in services if not service.converged]
    if late:
        return NotConvergedError(f"{waited}, which has not converged", late, timed_out=True)
    return NotConvergedError(
        f"{waited}: all services run, but not yet for long enough",
        timed_out=True,
        hint="tasks may be crashing and restarting; allow more time",
    )
