"""The run's clock, and the Engine's timestamps converted to it.

The managers stamp tasks with their own clocks. The difference to ours is measured once, so that
both can be shown on one time line.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from swarmctl.reading.times import time_or_none


@dataclass(frozen=True, slots=True)
class EngineClock:
    """Converts between the managers' clock and the run's.

    Args:
        origin: what the managers' clock said when the run began.
    """

    origin: datetime

    def to_run(self, text: str) -> float | None:
        """Seconds since the run began, of an Engine's timestamp; ``None`` when it is unset."""
        moment = time_or_none(text)
        return None if moment is None else (moment - self.origin).total_seconds()


@dataclass(frozen=True)
class WallClock:
    """The real time."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _origin: float = field(default_factory=time.monotonic)

    @classmethod
    def since(cls, started_at: str) -> WallClock:
        """The clock of a run that another process began (ISO 8601, with a UTC offset)."""
        begin = datetime.fromisoformat(started_at)
        ago = (datetime.now(UTC) - begin).total_seconds()
        return cls(begin, time.monotonic() - max(0.0, ago))

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._origin

    def pause(self, seconds: float, /) -> None:
        """Sleep."""
        time.sleep(seconds)
