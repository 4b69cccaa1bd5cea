"""What the doctor saw, as data: journals, locks, machines, nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from swarmctl.chaos.doctor.inspect_nodes import NodeReport
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Swarm


@dataclass(frozen=True, slots=True)
class ChaosLock:
    """The Swarm's chaos lock.

    Args:
        lock: the lock object.
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
        """Whether its process is gone, as far as can be known."""
        return self.alive is False or (self.alive is None and self.over)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen.

    Args:
        now: this machine's time.
        runs_dir: the directory of journals.
        cluster: the cluster that was looked at; ``""`` for none.
        options: what its commands need besides, for example ``--cluster NAME``.
        pending: local runs whose undo plan is not carried out.
        undone: ids of the local runs that are.
        unreadable: local runs whose journal can't be read, and why.
        in_use: the process that holds the runs directory; ``""`` for none.
        swarm: what the managers know; ``None`` if none answered.
        chaos: the chaos lock, if it is there.
        stale: the locks of stacks whose time is over.
        machines: the cluster's instances; ``None`` if EC2 did not answer.
        reports: what was seen on the nodes, by hostname.
        unreachable: what could not be examined, and why.
    """

    now: datetime
    runs_dir: str
    cluster: str = ""
    options: str = ""
    pending: tuple[Journal, ...] = ()
    undone: frozenset[str] = frozenset()
    unreadable: Mapping[str, SwarmctlError] = field(default_factory=dict)
    in_use: str = ""
    swarm: Swarm | None = None
    chaos: ChaosLock | None = None
    stale: Mapping[str, lock.Lock] = field(default_factory=dict)
    machines: tuple[Machine, ...] | None = None
    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    unreachable: Mapping[str, SwarmctlError] = field(default_factory=dict)
