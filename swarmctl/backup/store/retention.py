"""Which backups are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

_NAME = re.compile(r"(?P<cluster>[a-z][a-z0-9_]{0,30})-(?P<time>\d{8}T\d{6}Z)")
_TIME = "%Y%m%dT%H%M%SZ"


def name_of(cluster: str, moment: datetime) -> str:
    """The name of a backup that is taken now: ``swarm_app-20260131T120000Z``."""
    return f"{cluster}-{moment.astimezone(UTC):{_TIME}}"


def taken_at(name: str) -> datetime | None:
    """When a backup was taken; ``None``: this is no name of one."""
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def cluster_of(name: str) -> str:
    """The cluster of a backup; ``""``: this is no name of one."""
    found = _NAME.fullmatch(name)
    return found["cluster"] if found else ""


def to_remove(names: Iterable[str], keep: int, proven: Iterable[str] = ()) -> tuple[str, ...]:
    """The backups of one cluster to remove, oldest first.

    Args:
        names: all of them.
        keep: how many of the newest stay; 0: all.
        proven: those with a proof; the newest of them stays, too.
    """
    ordered = sorted(names)
    stay = set(ordered[-keep:]) if keep else set(ordered)
    stay |= set(sorted(proven)[-1:])
    return tuple(name for name in ordered if name not in stay)


def age_in_words(age: timedelta) -> str:
    """``3 days``, ``5 h``, ``12 min``."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{max(minutes, 0)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
