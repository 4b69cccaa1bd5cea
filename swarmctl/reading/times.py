"""The Engine's timestamps: RFC 3339 with nanoseconds."""

from __future__ import annotations

from datetime import datetime


def parse_time(text: str) -> datetime:
    """An RFC 3339 time; the Engine's nanoseconds are cut to microseconds.

    Raises:
        ValueError: it is none, or lacks the time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} lacks a time zone")
    return moment
