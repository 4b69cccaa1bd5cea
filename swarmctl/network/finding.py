"""What is wrong with a cluster's network, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``error``: something does not work, or is exposed. ``warning``: it may be on purpose."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the playbooks would set it, or does not answer.

    Attributes:
        place: a security group, a node or a service.
        what: one line.
        remedy: a command, or what to look at.
        severity: see :class:`Severity`.
    """

    place: str
    what: str
    remedy: str
    severity: Severity = Severity.ERROR
