"""What ``swarmctl chaos doctor`` sees, and what it says of it, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from swarmctl.chaos.doctor.inspect_nodes import Look
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Swarm

SWARM, EC2 = "the Swarm", "EC2"


class Severity(StrEnum):
    """Whose doing it is."""

    ERROR = "error"
    WARNING = "warning"


class Way(StrEnum):
    """What ``--fix`` can do, in the order in which it does it."""

    REVERT = "revert"
    FROM_SWARM = "revert-from-swarm"
    HEAL = "heal"
    RELEASE = "release"


_DOES = {
    Way.REVERT: "revert {self.subject}",
    Way.FROM_SWARM: "revert the run whose plan is in the Swarm's chaos lock",
    Way.HEAL: "undo what {self.subject} left on {self.node}",
    Way.RELEASE: "remove the lock {self.subject}",
}


@dataclass(frozen=True, slots=True)
class Cure:
    """Something ``--fix`` may do: to a run, a lock (by its id), or a run's directory on a node."""

    way: Way
    subject: str
    node: str = ""
    home: str = ""

    def __str__(self) -> str:
        return _DOES[self.way].format(self=self)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Args:
        place: the runs directory, the Swarm, EC2, or a node's name.
        what: in words.
        mend: the command that mends it.
        severity: see :class:`Severity`.
        since: since when, if that is known.
        cure: what ``--fix`` does about it; ``None`` when it keeps its hands off.
    """

    place: str
    what: str
    mend: str
    severity: Severity = Severity.WARNING
    since: datetime | None = None
    cure: Cure | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The Swarm's chaos lock.

    Args:
        lock: itself.
        over: whether its time is over, by the managers' clock.
        alive: whether its process is; ``None`` when it belongs to another machine.
        plan: the run that is to be undone, if it holds one.
    """

    lock: lock.Lock
    over: bool
    alive: bool | None
    plan: Journal | None = None

    @property
    def dead(self) -> bool:
        """Whether nobody works under it any more, for all that is known."""
        return self.alive is False or (self.alive is None and self.over)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen.

    Args:
        now: this machine's time.
        runs_dir: the directory of journals.
        cluster: the cluster that was looked at; ``""`` for none.
        options: what its commands need besides, for example ``--cluster NAME``.
        pending: local runs whose undo plan is not carried out.
        undone: ids of the local runs that are.
        unreadable: local runs whose journal can't be read, and why.
        busy: the process that holds the runs directory; ``""`` for none.
        swarm: what the managers know; ``None`` if none answered.
        chaos: the chaos lock, if it is there.
        stale: the locks of stacks whose time is over.
        machines: the cluster's instances; ``None`` if EC2 did not answer.
        looks: what was seen on the nodes, by hostname.
        blind: what could not be looked at, and why.
    """

    now: datetime
    runs_dir: str
    cluster: str = ""
    options: str = ""
    pending: tuple[Journal, ...] = ()
    undone: frozenset[str] = frozenset()
    unreadable: Mapping[str, SwarmctlError] = field(default_factory=dict)
    busy: str = ""
    swarm: Swarm | None = None
    chaos: Held | None = None
    stale: Mapping[str, lock.Lock] = field(default_factory=dict)
    machines: tuple[Machine, ...] | None = None
    looks: Mapping[str, Look] = field(default_factory=dict)
    blind: Mapping[str, SwarmctlError] = field(default_factory=dict)


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for other programs; ``since`` is RFC 3339 or null."""
    return [
        {
            "place": found.place,
            "severity": str(found.severity),
            "what": found.what,
            "since": found.since.isoformat(timespec="seconds") if found.since else None,
            "mend": found.mend,
            "fixable": found.cure is not None,
        }
        for found in findings
    ]
