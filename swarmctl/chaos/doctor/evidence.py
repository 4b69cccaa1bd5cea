"""What the doctor saw, as data: journals, locks, machines, nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from swarmctl.chaos.doctor.inspect_nodes import NodeReport
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import SwarmctlError
from swarmctl.network import finding as network
from swarmctl.swarm import lock
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node


def electing(swarm: Swarm) -> str:
    """What shows that the managers have just elected a leader, or are about to; ``""``: nothing.

    A new leader calls every node Unknown, or Down, until it hears from it.
    """
    if not any(node.leader for node in swarm.nodes):
        return "the managers have no leader"
    unheard = [node.hostname for node in swarm.nodes if unheard_of(swarm, node)]
    return f"the leader has not heard of {', '.join(unheard)} yet" if unheard else ""


def unheard_of(swarm: Swarm, node: Node) -> bool:
    """Whether a node that is not Ready may only be waiting for a new leader to hear from it."""
    if node.live or any(n.live for n in swarm.nodes if n.hostname == node.hostname):
        return False
    return node.state == "unknown" or node.reachability == "reachable"


@dataclass(frozen=True, slots=True)
class ChaosLock:
    """The Swarm's chaos lock.

    Args:
        lock: the lock object.
        owned: whether its process is alive, as far as can be known.
        alive: whether its process still runs; ``None`` for another user or host.
        plan: the journal of the run to undo, if the lock contains one.
        extra: the replicas by service of the rebalance to undo, if it is one's.
    """

    lock: lock.Lock
    owned: bool
    alive: bool | None
    plan: Journal | None = None
    extra: Mapping[str, int] | None = None

    @property
    def dead(self) -> bool:
        """Whether its process is gone, as far as can be known."""
        return not self.owned


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen."""

    now: datetime  # this machine's time
    runs_dir: str
    cluster: str = ""  # the cluster that was examined
    options: str = ""  # that its commands need, for example --cluster NAME
    pending: tuple[Journal, ...] = ()  # local runs whose undo plan is not carried out
    undone: frozenset[str] = frozenset()  # ids of local runs with nothing left to undo
    unreadable: Mapping[str, SwarmctlError] = field(default_factory=dict)  # by run id
    in_use: str = ""  # the process that holds the runs directory
    swarm: Swarm | None = None  # None: no manager answered
    chaos: ChaosLock | None = None
    stale: Mapping[str, lock.Lock] = field(default_factory=dict)  # expired deploy locks, by stack
    bad_locks: tuple[SwarmctlError, ...] = ()  # why locks cannot be believed
    machines: tuple[Machine, ...] | None = None  # None: EC2 did not answer
    reports: Mapping[str, NodeReport] = field(default_factory=dict)  # by hostname
    network: Sequence[network.Finding] = ()
    unreachable: Mapping[str, SwarmctlError] = field(default_factory=dict)  # by place
