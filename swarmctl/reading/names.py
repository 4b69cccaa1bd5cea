"""Misspelt names: the nearest known name, and the error that lists all known ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from swarmctl.errors import UsageError


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to this one; ``None`` when none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean 'web'?`` when a known name is near, else ``""``."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist; its hint lists the names that do.

    Args:
        kind: what the name should have been, for example ``node``.
        name: what the user wrote.
        known: all names that exist.
    """
    names = sorted(known)
    hint = f"{suggestion(name, names)} known: {', '.join(names) or 'none'}"
    return UsageError(f"unknown {kind} {name!r}", hint.strip())
