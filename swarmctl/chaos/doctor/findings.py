"""What the doctor reports: findings, and the repairs that ``--fix`` may make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

SWARM, EC2, NETWORK = "the Swarm", "EC2", "the network"


class Severity(StrEnum):
    """``error``: left by a run, or the network fails. ``warning``: may be intended."""

    ERROR = "error"
    WARNING = "warning"


class RepairKind(StrEnum):
    """What ``--fix`` can do, in the order in which it does it."""

    REVERT = "revert"
    FROM_SWARM = "revert-from-swarm"
    HEAL = "heal"
    RELEASE = "release"


_DOES = {
    RepairKind.REVERT: "revert {self.subject}",
    RepairKind.FROM_SWARM: "revert the run whose plan is in the Swarm's chaos lock",
    RepairKind.HEAL: "undo what {self.subject} left on {self.node}",
    RepairKind.RELEASE: "remove the lock {self.subject}",
}


@dataclass(frozen=True, slots=True)
class Repair:
    """Something ``--fix`` may do: to a run, a lock (by its id), or a run's directory on a node."""

    kind: RepairKind
    subject: str
    node: str = ""
    home: str = ""

    def __str__(self) -> str:
        return _DOES[self.kind].format(self=self)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a run left behind, or that may be a leftover.

    Args:
        place: the runs directory, the Swarm, EC2, or a node's name.
        what: one line.
        command: the shell command that repairs it.
        severity: see :class:`Severity`.
        since: since when, if that is known.
        repair: what ``--fix`` does about it; ``None``: nothing.
    """

    place: str
    what: str
    command: str
    severity: Severity = Severity.WARNING
    since: datetime | None = None
    repair: Repair | None = None


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for other programs; ``since`` is RFC 3339 or null."""
    return [
        {
            "place": found.place,
            "severity": str(found.severity),
            "what": found.what,
            "since": found.since.isoformat(timespec="seconds") if found.since else None,
            "mend": found.command,
            "fixable": found.repair is not None,
        }
        for found in findings
    ]


def repairs(findings: Sequence[Finding]) -> list[Repair]:
    """The repairs of these findings, each once, undo plans first."""
    found = dict.fromkeys(finding.repair for finding in findings if finding.repair)
    order = list(RepairKind)
    return sorted(found, key=lambda repair: order.index(repair.kind))
