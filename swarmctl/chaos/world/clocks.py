"""The Engine's own timestamps, placed on the run's clock.

The tasks' records are made by other machines' clocks. The difference to ours is measured once, so
that both can be shown on one time line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from swarmctl.reading import times


def parse_time(text: str) -> datetime | None:
    """A time in UTC; ``None`` for the zero time (``0001-01-01T00:00:00Z``) and for no time."""
    if text.startswith("0001-"):
        return None
    try:
        return times.parse_time(text).astimezone(UTC)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class EngineClock:
    """Converts between the managers' clock and the run's.

    Args:
        origin: what the managers' clock said when the run began.
    """

    origin: datetime

    def to_run(self, text: str) -> float | None:
        """Seconds since the run began, of an Engine's timestamp; ``None`` when it is unset."""
        moment = parse_time(text)
        return None if moment is None else (moment - self.origin).total_seconds()
