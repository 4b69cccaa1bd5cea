"""The Engine's timestamps: RFC 3339 with nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> datetime:
    """An RFC 3339 time in UTC; the Engine's nanoseconds are cut to microseconds.

    Raises:
        ValueError: it is not such a time, or lacks the time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} lacks a time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as fault:
        raise ValueError(f"{text!r} is out of range") from fault


def time_or_none(text: str) -> datetime | None:
    """The same, or ``None`` for an invalid time. Go writes an unset one as ``0001-01-01T…``."""
    if text.startswith("0001-"):
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None


def unix_time(text: str) -> float:
    """Seconds since 1970; 0 when the time is missing or invalid."""
    moment = time_or_none(text)
    return moment.timestamp() if moment else 0.0
