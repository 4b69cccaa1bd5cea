"""Lines that the nodes keep, read through a manager.

The manager asks the nodes. It waits without end for one that has died a moment ago, so each task is
asked for by itself, with a deadline.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from swarmctl.logs.frames import BrokenAnswerError, Record, records
from swarmctl.logs.line import Line
from swarmctl.logs.where import Names, Writer
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.engine import EngineError, stream
from swarmctl.swarm.model import Service, Task
from swarmctl.swarm.ssh import ManagerError, NotNowError

# Sessions on a connection: sshd allows ten.
_AT_ONCE = 6
SILENCE_S = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines of one task, and why there are no more of them (``""``: these are all)."""

    task: Task
    lines: tuple[Line, ...]
    fault: str = ""


def ask_each(
    client: SwarmClient,
    tasks: Sequence[Task],
    names: Names,
    *,
    since: datetime | None,
    tail: int | None,
    silence_s: float = SILENCE_S,
) -> list[Answer]:
    """The lines of tasks, several asked for at a time.

    Args:
        client: a manager.
        tasks: on nodes that are up.
        names: of the snapshot.
        since: none before this.
        tail: only so many of the last of each task.
        silence_s: seconds without a byte after which a node is given up.
    """
    if not tasks:
        return []
    params = query(since=since, tail=tail, follow=False)

    def ask(task: Task) -> Answer:
        lines: list[Line] = []
        fault = ""
        path = f"/tasks/{task.id}/logs"
        try:
            with closing(stream(client, path, params, silence_s)) as chunks:
                for record in records(chunks, tty=has_terminal(task.spec)):
                    lines.append(line_of(names.writer(task), record))
        except BrokenAnswerError as end:
            unknown = f"node {task.node_id} is not available" in str(end)
            fault = "the managers have lost its connection" if unknown else str(end)
        except NotNowError:
            fault = f"no answer within {silence_s:g} s"
        except (ManagerError, EngineError) as refusal:
            fault = refusal.message
        return Answer(task, tuple(lines), fault)

    with ThreadPoolExecutor(min(_AT_ONCE, len(tasks))) as pool:
        return list(pool.map(ask, tasks))


def follow(
    client: SwarmClient, service: Service, since: datetime, silence_s: float
) -> Generator[Record]:
    """The lines of all tasks of a service from now on, those of later tasks too.

    Args:
        client: a manager.
        service: whose tasks.
        since: none before this.
        silence_s: seconds without a line that end it: the manager may be gone.

    Raises:
        NotNowError: nothing was written for so long.
        ManagerError: the connection broke.
        EngineError: the Engine refuses.
        BrokenAnswerError: with the Engine's words.
    """
    params = query(since=since, tail=None, follow=True)
    with closing(stream(client, f"/services/{service.id}/logs", params, silence_s)) as chunks:
        yield from records(chunks, tty=has_terminal(service.task_spec))


def query(*, since: datetime | None, tail: int | None, follow: bool) -> dict[str, str]:
    """The parameters of a request."""
    return {
        "stdout": "true",
        "stderr": "true",
        "timestamps": "true",
        "details": "true",
        "follow": str(follow).lower(),
        "tail": "all" if tail is None else str(tail),
        **({"since": f"{since.timestamp():.6f}"} if since else {}),
    }


def line_of(writer: Writer, record: Record) -> Line:
    """A line and who wrote it."""
    return Line(
        record.at,
        writer.service,
        writer.replica,
        writer.task,
        writer.node,
        record.stream,
        record.text,
    )


def has_terminal(spec: Mapping[str, object]) -> bool:
    """Whether the containers of a task spec have a terminal."""
    container = spec.get("ContainerSpec")
    return bool(container.get("TTY")) if isinstance(container, Mapping) else False
