"""Lines of many replicas in order of time. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import count

from swarmctl.logs.line import Line


def merged(parts: Iterable[Iterable[Line]], tail: int | None = None) -> list[Line]:
    """All lines in order of time; those of one moment in the order given.

    Args:
        parts: the lines of one source each, in any order of time.
        tail: only so many of the last; ``None`` for all.
    """
    lines = sorted((line for part in parts for line in part), key=lambda line: line.at)
    return lines if tail is None else lines[max(0, len(lines) - tail) :]


class Window:
    """Puts lines that arrive late into their place, if they are not later than the window.

    Args:
        width: how long a line waits for earlier ones.
    """

    def __init__(self, width: timedelta) -> None:
        self._width = width
        self._held: list[tuple[datetime, int, Line]] = []
        self._order = count()

    def add(self, line: Line, now: datetime) -> None:
        """Hold a line. A clock of a node that is ahead does not make it wait longer."""
        heapq.heappush(self._held, (min(line.at, now), next(self._order), line))

    def ready(self, now: datetime) -> Sequence[Line]:
        """The lines that have waited long enough, in order."""
        found = []
        while self._held and self._held[0][0] + self._width <= now:
            found.append(heapq.heappop(self._held)[2])
        return found
