"""The Engine's own timestamps, placed on the run's clock.

The tasks' records are made by other machines' clocks. The difference to ours is measured once, so
that both can be shown on one time line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def parse_time(text: str) -> datetime | None:
    """Read the Engine's RFC 3339 with nanoseconds.

    Returns:
        The time in UTC, or ``None`` for the zero time (``0001-01-01T00:00:00Z``) and for no time.
    """
    match = _RFC3339.fullmatch(text)
    if match is None or text.startswith("0001-"):
        return None
    seconds, fraction, zone = match.groups()
    micros = (fraction or "0")[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{seconds}.{micros}{zone.replace('Z', '+00:00')}").astimezone(
        UTC
    )


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
