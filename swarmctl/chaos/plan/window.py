"""When experiments are allowed: days of the week and hours, in a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from swarmctl.errors import UsageError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(?:(\w{3})(?:-(\w{3}))?\s+)?(\d\d:\d\d)-(\d\d:\d\d)(?:\s+(\S+))?")
_EXAMPLE = "write it like `Mon-Fri 09:00-17:00 Europe/Berlin` (UTC without a zone)"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days. One that ends before it begins goes on past midnight.

    Args:
        text: as it was written.
        days: 0 for Monday.
        begin: first moment.
        end: first moment after it.
        zone: whose clocks are meant.
    """

    text: str
    days: frozenset[int]
    begin: time
    end: time
    zone: ZoneInfo

    def contains(self, moment: datetime) -> bool:
        """Whether a moment (with its time zone) lies within."""
        local = moment.astimezone(self.zone)
        day, clock = local.weekday(), local.time()
        if self.begin < self.end:
            return day in self.days and self.begin <= clock < self.end
        early = clock < self.end and (day - 1) % 7 in self.days
        return early or (clock >= self.begin and day in self.days)

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Window:
    """Read ``Mon-Fri 09:00-17:00 Europe/Berlin``; days and zone may be left out.

    Raises:
        UsageError: it is not of that form.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"cannot read the time window {text!r}", _EXAMPLE)
    first, last, begin, end, zone = match.groups()
    try:
        return Window(
            text.strip(),
            _days(first, last),
            time.fromisoformat(begin),
            time.fromisoformat(end),
            ZoneInfo(zone or "UTC"),
        )
    except (ValueError, ZoneInfoNotFoundError) as fault:
        raise UsageError(f"cannot read the time window {text!r}: {fault}", _EXAMPLE) from fault


def _days(first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    start = _DAYS.index(first.lower())
    stop = _DAYS.index((last or first).lower())
    return frozenset((start + n) % 7 for n in range((stop - start) % 7 + 1))
