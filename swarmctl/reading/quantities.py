"""Durations, sizes and percentages, in the notations of Go and of the docker CLI.

Every function raises ``ValueError`` with a sentence for the user.
"""

from __future__ import annotations

import re

# Not the package durationpy: unlike Go it accepts days, weeks, spaces ("1h 1m") and inner signs
# ("1h-1m"), rounds to microseconds and has no limit.
_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9}
_NS |= {"m": 60 * 10**9, "h": 3600 * 10**9}
_NUMBER = r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?"
_PART = re.compile(rf"{_NUMBER}({'|'.join(sorted(_NS, key=len, reverse=True))})")
_DURATION = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def duration(text: str) -> float:
    """Seconds of a Go duration such as ``1m30s``, ``1.5h`` or ``-200ms``.

    Follows Go's time.ParseDuration, its limit of 2⁶³ ns (292 years) included.
    """
    if not _DURATION.fullmatch(text):
        hint = "; it needs a unit" if text.strip().isdigit() else ""
        raise ValueError(f"{text!r} is not a duration such as 30s or 1m30s{hint}")
    total = 0
    for whole, fraction, unit in _PART.findall(text):
        total += int(whole or 0) * _NS[unit]
        total += int(fraction or 0) * _NS[unit] // 10 ** len(fraction)
    negative = text.startswith("-")
    if total >= 2**63 + negative:
        raise ValueError(f"the duration {text!r} is too long")
    return (-total if negative else total) / 10**9


def seconds(value: float | str) -> float:
    """Seconds of a duration that is not negative; a plain number is seconds already."""
    if not isinstance(value, str) or _SECONDS.fullmatch(value):
        found = float(value)
    else:
        found = duration(value)
    if found < 0:
        raise ValueError(f"the duration {value!r} is negative")
    return found


_BYTES = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)


def size(text: str) -> int:
    """Bytes of a size such as ``512M``, ``1.5g`` or ``50 MiB`` (powers of 1024).

    Follows RAMInBytes of the package go-units.
    """
    last = max((text.rfind(char) for char in "0123456789. "), default=-1)
    if last == -1:
        raise ValueError(f"{text!r} is not a size such as 512M")
    number = text[:last] if text[last] == " " else text[: last + 1]
    suffix = text[last + 1 :].lower()
    if not _FLOAT.fullmatch(number):
        raise ValueError(f"{number!r} in {text!r} is not a number")
    value = float(number)
    if value < 0:
        raise ValueError(f"the size {text!r} is negative")
    if suffix not in ("", "b"):
        if suffix[0] not in _BYTES or suffix[1:] not in ("", "b", "ib"):
            raise ValueError(f"unknown unit {suffix!r} in {text!r}; use k, m or g")
        value *= _BYTES[suffix[0]]
    return int(min(value, 2**63 - 1))


def written_size(size: int) -> str:
    """Bytes as a person reads them: ``174.2M`` (powers of 1024)."""
    power = max(0, min((size.bit_length() - 1) // 10, 4))
    return f"{size / 2 ** (10 * power):.1f}".removesuffix(".0") + ("", "K", "M", "G", "T")[power]


def percent(value: float | str) -> float:
    """The number in ``99.5%``, or a number of percent as it is; 0 to 100."""
    text = value.removesuffix("%") if isinstance(value, str) else str(value)
    if not _FLOAT.fullmatch(text) or not 0 <= float(text) <= 100:
        raise ValueError(f"{value} is not a percentage from 0 to 100")
    return float(text)
