"""A line of a log, and which replica wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        at: when the node's Engine read it; aware.
        service: its service's name.
        replica: ``three_tier_web.3``; of a global service ``agent.wkr1``.
        task: its task's id; ``""`` if it is not known.
        node: the hostname, or the id of a node that is no member any more; ``""``: not known.
        stream: ``stdout``, ``stderr``; ``""`` where that is not kept.
        text: what was written, without the line's end.
    """

    at: datetime
    service: str
    replica: str
    task: str
    node: str
    stream: str
    text: str


def as_data(line: Line) -> dict[str, str]:
    """The line as it is printed with ``--format json``; documented in docs/logs.md."""
    return {
        "at": line.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "service": line.service,
        "replica": line.replica,
        "task": line.task,
        "node": line.node,
        "stream": line.stream,
        "message": line.text,
    }
