"""Wanted and found records compared: the least changes, and never one of what is not ours. Pure.

For listeners that write to a place of others (Cloud Map, target groups). Level-triggered: computed
anew from what is wanted and what is there, so a lost or repeated run does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """An endpoint as it is to be registered, or as it was found.

    Attributes:
        group: where it is registered: a service, a target group.
        id: unique in its group.
        value: all that is registered of it; two records are the same if it is equal.
        owner: who registered it; ``""`` when nothing says.
    """

    group: str
    id: str
    value: tuple[tuple[str, str], ...]
    owner: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.group, self.id


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do, in a fixed order.

    Attributes:
        register: new records, and ours whose value differs (registering replaces it).
        deregister: ours that are wanted no more.
        conflicts: wanted, but another owner has that key: left alone.
    """

    register: tuple[Record, ...] = ()
    deregister: tuple[Record, ...] = ()
    conflicts: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.register or self.deregister)


def changes(wanted: Iterable[Record], found: Iterable[Record], owner: str) -> Changes:
    """The least changes that make the found records the wanted ones.

    Args:
        wanted: the records that should exist, whatever their owner says.
        found: the records that do.
        owner: ours; records of anyone else are never changed.
    """
    want = {record.key: record for record in wanted}
    have = {record.key: record for record in found}
    ours = {key: record for key, record in have.items() if record.owner == owner}
    return Changes(
        register=tuple(
            want[key]
            for key in sorted(want)
            if key not in have or (key in ours and ours[key].value != want[key].value)
        ),
        deregister=tuple(ours[key] for key in sorted(ours) if key not in want),
        conflicts=tuple(want[key] for key in sorted(want) if key in have and key not in ours),
    )
