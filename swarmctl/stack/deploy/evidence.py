"""Evidence of a failed deploy: the failed tasks of the new version, and the end of their logs."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Service, Swarm, Task

LOG_LINES = 12
_LOG_BYTES = 64 * 1024
_LOG_SECONDS = 8.0
_PER_SERVICE = 2

# States before "running": a task that stays in one is reported even without an error.
_STUCK = ("pending", "assigned", "accepted", "preparing", "ready", "starting")
_EXPLANATIONS = {
    "starting": "its health check has not passed yet",
    "preparing": "its image is still being pulled",
    "pending": "no node has been found for it",
}
# The message of a task that the scheduler has not considered yet.
_UNSEEN = "pending task scheduling"


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A failed or stuck task; equal ones are counted."""

    service: str
    task: str  # its id
    node: str  # "" if it was never placed
    state: str
    error: str
    times: int = 1
    log: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The failure as text."""
        where = f" on {self.node}" if self.node else ""
        often = f" ({self.times} times)" if self.times > 1 else ""
        head = f"{self.service}: a task{where} is {self.state}{often}"
        lines = [f"{head}: {self.error}" if self.error else head]
        return lines + [f"  | {line}" for line in self.log]


def task_failures(swarm: Swarm, deployed: Mapping[str, Service]) -> list[TaskFailure]:
    """The failed and stuck tasks: the newest of each kind, at most two kinds per service.

    Only tasks of the services ``deployed`` (by name), in the version that was deployed.
    """
    found: list[TaskFailure] = []
    for service in swarm.services:
        if version := deployed.get(service.name):
            tasks = [t for t in swarm.tasks_of(service) if version.is_current(t)]
            found += _failures_of(swarm, service, tasks)
    return found


def _failures_of(swarm: Swarm, service: Service, tasks: Collection[Task]) -> list[TaskFailure]:
    kinds: dict[tuple[str, str], list[Task]] = {}
    for task in sorted(tasks, key=lambda t: t.updated_at, reverse=True):
        if task.state in ("failed", "rejected") or _is_stuck(task):
            kinds.setdefault((task.state, _text_of(task)), []).append(task)
    # Failed tasks tell more than waiting ones.
    order = sorted(kinds.items(), key=lambda kind: (kind[0][0] in _STUCK, -len(kind[1])))
    return [
        TaskFailure(
            service.name,
            alike[0].id,
            node.hostname if (node := swarm.node_by_id(alike[0].node_id)) else "",
            state,
            text or _EXPLANATIONS.get(state, ""),
            len(alike),
        )
        for (state, text), alike in order[:_PER_SERVICE]
    ]


def _is_stuck(task: Task) -> bool:
    is_new = task.state == "pending" and not task.error and task.message == _UNSEEN
    return task.state in _STUCK and task.desired_state in ("running", "ready") and not is_new


def _text_of(task: Task) -> str:
    text = task.error or (task.message if task.state == "pending" else "")
    return " ".join(text.split())


def with_logs(engine: Engine, found: Collection[TaskFailure]) -> list[TaskFailure]:
    """Add the last lines of each task's log, if they arrive within a few seconds."""
    if not found:
        return []
    deadline = time.monotonic() + _LOG_SECONDS
    pool = ThreadPoolExecutor(len(found))
    try:
        asked = [(failure, pool.submit(_log, engine, failure.task)) for failure in found]
        complete = []
        for failure, future in asked:
            try:
                lines = future.result(timeout=max(0.0, deadline - time.monotonic()))
            except (SwarmctlError, FutureTimeoutError):
                lines = ()  # its node may be gone; the failure is reported without a log
            complete.append(replace(failure, log=lines))
        return complete
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _log(engine: Engine, task: str) -> tuple[str, ...]:
    params = {"stdout": "1", "stderr": "1", "tail": str(LOG_LINES)}
    text = demultiplexed(engine.text(f"/tasks/{task}/logs", params, _LOG_BYTES))
    return tuple(text.decode(errors="replace").splitlines()[-LOG_LINES:])


def demultiplexed(stream: bytes) -> bytes:
    """The text of a log stream: frames with a header of 8 bytes, or plain text with a terminal."""
    text, rest = bytearray(), stream
    while len(rest) >= 8 and rest[0] in (0, 1, 2) and rest[1:4] == b"\0\0\0":
        size = int.from_bytes(rest[4:8], "big")
        text += rest[8 : 8 + size]
        rest = rest[8 + size :]
    return bytes(text) if text else rest
