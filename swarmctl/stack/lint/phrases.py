"""Small helpers for the wording of findings."""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.reading.names import suggestion


def meant(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` when a known name is near, else nothing."""
    near = suggestion(name, known)
    return f"; {near}" if near else ""


def count(number: int, noun: str) -> str:
    """``1 node``, ``2 nodes``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def joined(names: Iterable[str], limit: int = 4) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
