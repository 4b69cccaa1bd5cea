"""What Ansible reports of tasks and hosts, reduced to what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ok", "skipped", "changed", "failed", "unreachable", "ignored", "rescued"]

# They end the run of their host.
FATAL: tuple[Kind, ...] = ("failed", "unreachable")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended on one host.

    Attributes:
        host: its name in the inventory.
        kind: a failure that ``rescue`` or ``ignore_errors`` handles does not end the host's run.
        text: the failure's message, line by line.
        items: the labels of the loop's items that changed.
    """

    host: str
    kind: Kind
    text: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task that runs.

    Attributes:
        name: as written in the playbook.
        where: ``file:line``.
    """

    name: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class HostTotals:
    """How many tasks ended in which way on a host, as Ansible counts them."""

    host: str
    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failures: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0

    @property
    def calm(self) -> bool:
        """Whether nothing changed and nothing failed."""
        return not (self.changed or self.failures or self.unreachable or self.ignored)


@dataclass(frozen=True, slots=True)
class End:
    """How the run ended.

    Attributes:
        totals: each host's.
        remarks: what the playbooks leave for the end (``set_stats``): the addresses that answer.
        seconds: how long it took.
    """

    totals: Sequence[HostTotals]
    remarks: Sequence[str]
    seconds: float
