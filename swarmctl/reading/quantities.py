"""Durations and shares as experiment files write them."""

from __future__ import annotations

import re

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?")
_UNITS_S = (3600.0, 60.0, 1.0, 0.001)


def seconds(value: float | str) -> float:
    """Seconds of ``30s``, ``1m30s``, ``2h``, ``200ms``; a number is seconds already.

    Raises:
        ValueError: it is no duration.
    """
    if not isinstance(value, str):
        return float(value)
    match = _DURATION.fullmatch(value)
    if not match or not value:
        raise ValueError(f"{value!r} is no duration")
    parts = zip(match.groups(), _UNITS_S, strict=True)
    return round(sum(float(number) * unit for number, unit in parts if number), 6)


def percent(value: float | str) -> float:
    """The number of ``99.5%``, or of a number that is meant so.

    Raises:
        ValueError: it is none, or not within 0 and 100.
    """
    number = float(value.removesuffix("%")) if isinstance(value, str) else float(value)
    if not 0 <= number <= 100:
        raise ValueError(f"{number:g} % is not within 0 and 100")
    return number
