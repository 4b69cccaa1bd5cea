"""The last backup and its proof, recorded in the Swarm, where every operator finds it.

A config object, for its labels: Swarm lets the labels of a config be changed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swarmctl.reading.times import time_or_none

CONFIG = "swarmctl-backup"
PREFIX = "swarmctl.backup."


@dataclass(frozen=True, slots=True)
class Last:
    """The last backup of a Swarm.

    Attributes:
        name: the backup's.
        at: when it was taken.
        where: the store, as the operator named it.
        proven: the last backup that was restored in the lab; ``""``: none was.
        proven_at: when.
        differences: how many there were; 0: it is proven.
    """

    name: str
    at: datetime
    where: str
    proven: str = ""
    proven_at: datetime | None = None
    differences: int = 0


def last_of(configs: Iterable[Any]) -> Last | None:
    """What is recorded, from the Engine's configs of that name."""
    found = ours(configs)
    labels = (found["Spec"].get("Labels") or {}) if found else {}
    told = {k.removeprefix(PREFIX): v for k, v in labels.items() if k.startswith(PREFIX)}
    at = time_or_none(told.get("at", ""))
    if at is None:
        return None
    differences = told.get("differences", "0")
    return Last(
        name=told.get("name", ""),
        at=at,
        where=told.get("where", ""),
        proven=told.get("proven", ""),
        proven_at=time_or_none(told.get("proven-at", "")),
        differences=int(differences) if differences.isdecimal() else 1,
    )


def ours(configs: Iterable[Any]) -> Any:
    """The filter of the Engine takes names that begin so, too."""
    return next((c for c in configs if c["Spec"]["Name"] == CONFIG), None)
