"""Which tasks are replaced when nodes go down, and which are lost.

``Supervisor.Restart`` and ``shouldRestart`` (manager/orchestrator/restart/restart.go), called for
every task of a node that is down, drained or gone (manager/orchestrator/replicated/tasks.go). The
restart history is rebuilt from the tasks of a slot as a new leader does it (taskinit/init.go); the
task reaper keeps enough of them for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from swarmctl.reading.times import unix_time
from swarmctl.swarm.model import RestartPolicy, Service, Swarm, Task, same_spec


class NotReplaced(StrEnum):
    """Why a task that is lost gets no replacement."""

    CONDITION = "condition"
    FINISHED = "finished"
    ATTEMPTS = "attempts"

    def words(self, policy: RestartPolicy) -> str:
        """The reason, with what the service's restart policy says."""
        return {
            NotReplaced.CONDITION: f"restart condition {policy.condition}",
            NotReplaced.FINISHED: f"restart condition {policy.condition}, and it had finished",
            NotReplaced.ATTEMPTS: f"max_attempts {policy.max_attempts} used up",
        }[self]


@dataclass(frozen=True, slots=True)
class Displaced:
    """What becomes of the tasks of nodes that are lost.

    Attributes:
        prompt: tasks replaced at once, all in one go.
        late: tasks that were being restarted already; replaced when that restart's delay is over.
        lost: tasks that nothing replaces, with the reason.
        ended: tasks of global services, which end with their node.
    """

    prompt: tuple[Task, ...]
    late: tuple[Task, ...]
    lost: tuple[tuple[Task, NotReplaced], ...]
    ended: tuple[Task, ...]


def displaced(
    tasks: Iterable[Task], services: Mapping[str, Service], history: History
) -> Displaced:
    """Sort the tasks of lost nodes by what becomes of them.

    Args:
        tasks: those assigned to the lost nodes; ones that are told to stop anyway are ignored.
        services: by id.
        history: of the Swarm's slots.
    """
    prompt: list[Task] = []
    late: list[Task] = []
    lost: list[tuple[Task, NotReplaced]] = []
    ended: list[Task] = []
    for task in tasks:
        service = services.get(task.service_id)
        if service is None or not _wanted(task, service):
            continue
        if service.is_global:
            ended.append(task)
        elif why := _why_not(task, service, history):
            lost.append((task, why))
        elif task.desired_state == "ready" and service.restart.delay > 0:
            late.append(task)
        else:
            prompt.append(task)
    return Displaced(tuple(prompt), tuple(late), tuple(lost), tuple(ended))


def never_back(swarm: Swarm, service: Service) -> tuple[tuple[Task, NotReplaced], ...]:
    """The last task of each slot that stays empty: it was told to stop, and nothing replaces it."""
    last: dict[int, Task] = {}
    for task in sorted(swarm.tasks_of(service), key=lambda task: unix_time(task.created_at)):
        last[task.slot] = task
    if service.is_global or service.is_job:
        return ()
    history = History(swarm)
    ended = (task for task in last.values() if task.desired_state == "shutdown")
    found = ((task, _why_not(task, service, history)) for task in ended)
    return tuple((task, why) for task, why in found if why is not None)


def _wanted(task: Task, service: Service) -> bool:
    """Whether the orchestrator still looks after it (desired RUNNING; COMPLETE in a job)."""
    if service.is_job:
        return task.meant_to_finish and not task.ended
    return task.meant_to_run


def _why_not(task: Task, service: Service, history: History) -> NotReplaced | None:
    """Why a task is not replaced; ``None`` when it is."""
    policy = service.restart
    if policy.condition == "none":
        return NotReplaced.CONDITION
    finished = task.state == "complete"
    if finished and (policy.condition == "on-failure" or service.is_job):
        return NotReplaced.FINISHED
    if policy.max_attempts and history.restarts(task, service) >= policy.max_attempts:
        return NotReplaced.ATTEMPTS
    return None


class History:
    """How often each slot was restarted.

    Args:
        swarm: a snapshot.
    """

    def __init__(self, swarm: Swarm) -> None:
        limited = {s.id for s in swarm.services if s.restart.max_attempts}
        self._slots: dict[tuple[str, int], list[Task]] = {}
        for task in swarm.tasks:
            if task.service_id in limited:
                self._slots.setdefault((task.service_id, task.slot), []).append(task)

    def restarts(self, task: Task, service: Service) -> int:
        """The restarts that count against ``max_attempts`` when this task ends.

        Every task of the slot with the same spec but the first was a restart.
        """
        same = [
            other
            for other in self._slots[task.service_id, task.slot]
            if same_spec(other.spec, task.spec)
        ]
        restarted = sorted(unix_time(t.created_at) for t in same)[1:]
        if not service.restart.window:
            return len(restarted)
        moment = unix_time(task.updated_at)
        return sum(moment - service.restart.window < at < moment for at in restarted)
