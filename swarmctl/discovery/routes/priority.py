"""The priority of a listener's rule: the most specific first. A lower number is tried first."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from swarmctl.discovery.routes.labels import MAX_PRIORITY, Route

# Below are the priorities of labels and of rules that were made by hand.
FIRST = 1000
# Rules of the same specificity; a load balancer has at most 100 rules in all, by default.
_SLOTS = 133
_LONGEST = 60  # characters of a path that count
_BANDS = 2 * _LONGEST + 2


def band(route: Route) -> range:
    """The priorities that a route may have.

    Named hosts come first, then host patterns, then any host; within them the longest path, and of
    two the one without ``*`` or ``?``. Of several paths or hosts the least specific one counts, so
    that ``/*, /health`` takes nothing from ``/api/*``.
    """
    kind = 2 if not route.hosts else int(any(_pattern(host) for host in route.hosts))
    weight = min(map(_weight, route.paths))
    start = FIRST + (kind * _BANDS + (_BANDS - 1 - weight)) * _SLOTS
    return range(start, start + _SLOTS)


def choose(route: Route, taken: Collection[int], current: int | None) -> int | None:
    """The priority of a route's rule; ``None`` if all that it may have are taken.

    It is derived from the service's name, so that two agents choose the same one.

    Args:
        route: the rule's.
        taken: priorities of all other rules of the listener.
        current: of the rule, if it exists: kept if possible.
    """
    if route.priority:
        return None if route.priority in taken else route.priority
    allowed = band(route)
    if current is not None and current in allowed and current not in taken:
        return current
    digest = hashlib.sha256(route.service.encode()).digest()
    begin = int.from_bytes(digest[:4], "big") % _SLOTS
    slots = (allowed[(begin + step) % _SLOTS] for step in range(_SLOTS))
    return next((slot for slot in slots if slot not in taken), None)


def _weight(path: str) -> int:
    characters = min(sum(char not in "*?" for char in path), _LONGEST)
    return 2 * characters + (not _pattern(path))


def _pattern(text: str) -> bool:
    return "*" in text or "?" in text


assert FIRST + 3 * _BANDS * _SLOTS <= MAX_PRIORITY
