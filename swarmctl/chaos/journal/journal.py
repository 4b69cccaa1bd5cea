"""The journal: one JSON document a run, always complete on disk.

This is what is in it; ``runs`` keeps it. The undo plan is in it before the fault is.

All times ending in ``_s`` are seconds since ``started_at``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from swarmctl.chaos.journal.listeners import ListenerRecord
from swarmctl.prediction.record import PredictionRecord

SCHEMA = 1

# The command that replaces a terminated machine, unless the user names another.
REPLACE_WITH = "ansible-playbook playbooks/site.yml"

# Service name → node hostname → replicas serving there.
Placement = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """A node the fault is aimed at, and the machine under it; or one task on that node."""

    node: str
    node_id: str
    role: str
    instance_id: str
    address: str = ""  # the node's private address
    task_id: str = ""  # of the one task that is meant, if it is not the whole node
    container_id: str = ""
    task: str = ""  # service.slot

    @property
    def what(self) -> str:
        """Its name for people."""
        return f"{self.task} on {self.node}" if self.task else self.node


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """The result of one guard."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    overridden: bool = False  # it refused; the user overrode it


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One thing to put back."""

    action: str  # "start-instance", "replace-instance", "activate-node" or "heal-node"
    node: str
    node_id: str
    instance_id: str
    by_hand: str  # the command a person would type instead


@dataclass(frozen=True, slots=True)
class Undo:
    """The undo plan and how far it got."""

    state: str = "none"  # "none", "planned", "done" or "failed"
    steps: tuple[UndoStep, ...] = ()
    detail: str = ""

    @property
    def pending(self) -> bool:
        """Whether something may still have to be put back."""
        return self.state in ("planned", "failed")


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the time line."""

    at_s: float
    kind: str
    text: str
    silenced: str = ""  # the node whose replicas do not answer from this moment on


@dataclass(frozen=True, slots=True)
class Sample:
    """How many replicas served, at one moment."""

    at_s: float
    services: dict[str, int]
    nodes: dict[str, int]
    states: dict[str, str]  # node hostname → state


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task that came up during the run, and when it got how far."""

    id: str
    service: str
    slot: int
    node: str
    state: str
    created_s: float
    assigned_s: float | None = None
    running_s: float | None = None
    ended_s: float | None = None
    error: str = ""
    replacement: bool = False  # it replaces a lost replica


@dataclass(frozen=True, slots=True)
class Unseen:
    """A stretch in which nobody observed the Swarm.

    Args:
        since_s: the last snapshot before it.
        until_s: the first one after it.
        kept: by service, the replicas that served in both as the same task: so many at least
            served meanwhile, because a task that has ended never runs again.
    """

    since_s: float
    until_s: float
    kept: dict[str, int]


@dataclass(frozen=True, slots=True)
class ServiceOutcome:
    """One service in the verdict."""

    service: str
    mode: str
    wanted: int
    lost: int  # replicas that ran on the targets when the fault came
    stayed: int  # replicas that ran on, untouched
    replaced: int  # replicas started after the fault, on live nodes
    reasons: tuple[str, ...] = ()  # why it is not at full strength; empty when it is

    @property
    def serving(self) -> int:
        """Replicas that count."""
        return self.stayed + self.replaced

    @property
    def held(self) -> bool:
        """Whether the service is at full strength."""
        return not self.reasons

    @property
    def to_move(self) -> int:
        """Lost replicas that must run again: a global service wants none without the node."""
        return min(self.lost, max(self.wanted - self.stayed, 0))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the replicas of all judged services.

    Args:
        wanted: without the targets.
        lost: replicas that the fault took and that must run again.
        moved: how many of these run again.
        restarted: replicas that the fault did not take by itself and that started anew.
        kept: replicas that ran on, untouched.
    """

    wanted: int
    lost: int
    moved: int
    restarted: int
    kept: int


def recovery(services: Iterable[ServiceOutcome]) -> Recovery:
    """Add up the services of a verdict."""
    found = list(services)
    moved = sum(min(one.replaced, one.to_move) for one in found)
    return Recovery(
        wanted=sum(one.wanted for one in found),
        lost=sum(one.to_move for one in found),
        moved=moved,
        restarted=sum(one.replaced for one in found) - moved,
        kept=sum(one.stayed for one in found),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the experiment found.

    Args:
        held: whether the hypothesis held.
        sentence: all of it, in words.
        services: each one's replicas.
        reasons: why it did not hold.
        redistributed_s: when every service was at full strength, in run time.
        inconclusive: whether it neither held nor was refuted: what was seen proves nothing.
        meanwhile: what others changed in the Swarm during the run.
    """

    held: bool
    sentence: str
    services: tuple[ServiceOutcome, ...] = ()
    reasons: tuple[str, ...] = ()
    redistributed_s: float | None = None
    inconclusive: bool = False
    meanwhile: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """``held``, ``refuted`` or ``inconclusive``."""
        return "held" if self.held else "inconclusive" if self.inconclusive else "refuted"


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """The probes of one service, counted."""

    service: str
    sent: int
    lost: int
    longest_outage_s: float
    median_ms: float
    p99_ms: float
    endpoints: tuple[str, ...] = ()
    failures: dict[str, int] = field(default_factory=dict)  # error → how often


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """One probe."""

    at_s: float
    service: str
    node: str
    ok: bool
    latency_ms: float
    detail: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Replicas on one node: the number seen, and the fewest and most in any predicted outcome."""

    seen: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A placement compared with a prediction.

    Attributes:
        agrees: it is one of the predicted outcomes; ``None`` when what was compared is, but
            services were left out.
        exhaustive: no other outcome is possible.
        differences: by service and node, each number that no outcome has; a service without nodes
            has numbers that were all predicted, but not together.
        left_out: services that were not compared, because their replicas do not come up.
    """

    agrees: bool | None
    exhaustive: bool
    differences: dict[str, dict[str, Difference]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass
class Journal:
    """Everything about one run. ``phase`` and ``outcome`` say how far it got and how it ended."""

    id: str
    experiment: str
    cluster: str
    region: str
    started_at: str
    parameters: dict[str, Any]
    hypothesis: str
    schema: int = SCHEMA
    title: str = ""  # of an experiment file
    campaign: str = ""  # the same for all runs of one command
    phase: str = "created"
    # "held", "refuted", "inconclusive", "refused", "interrupted", "error" or "revert-failed"
    outcome: str = ""
    ended_s: float | None = None
    engine_versions: dict[str, str] = field(default_factory=dict)
    targets: tuple[TargetRecord, ...] = ()
    guards: tuple[GuardRecord, ...] = ()
    undo: Undo = field(default_factory=Undo)
    prediction: PredictionRecord | None = None  # made before the fault
    agreement: Agreement | None = None  # of the placement at the verdict with the prediction
    duplicates: dict[str, int] = field(default_factory=dict)  # service → replicas running twice
    verdict: Verdict | None = None
    phases: dict[str, float | None] = field(default_factory=dict)  # seconds since the fault
    marks: list[Mark] = field(default_factory=list)
    before: Placement = field(default_factory=dict)
    after: Placement = field(default_factory=dict)
    final: Placement = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    not_judged: dict[str, str] = field(default_factory=dict)  # service → why
    probes: tuple[ProbeSummary, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    samples: list[Sample] = field(default_factory=list)
    blind: list[tuple[float, float, str]] = field(default_factory=list)  # from, to, why no snapshot
    unseen: list[Unseen] = field(default_factory=list)  # since the fault
    probe_log: tuple[ProbeRecord, ...] = ()
    # Of clients that go on using every node, from the fault to the revert; while nodes are lost.
    every_node: tuple[ProbeSummary, ...] = ()
    every_node_log: tuple[ProbeRecord, ...] = ()
    # Of users in front of the load balancer.
    load_balancer: tuple[ProbeSummary, ...] = ()
    load_balancer_log: tuple[ProbeRecord, ...] = ()
    listeners: tuple[ListenerRecord, ...] = ()
    lag_s: list[float] = field(default_factory=list)  # snapshot minus the managers' own timestamp

    @property
    def refusals(self) -> tuple[GuardRecord, ...]:
        """The guards that refused and were not overridden."""
        return tuple(guard for guard in self.guards if not guard.ok and not guard.overridden)

    def moment(self, kind: str) -> float | None:
        """When the first mark of that kind was made."""
        return next((mark.at_s for mark in self.marks if mark.kind == kind), None)

    def moments(self, kind: str) -> tuple[float, ...]:
        """When each mark of that kind was made."""
        return tuple(mark.at_s for mark in self.marks if mark.kind == kind)


def shown_undo(journal: Journal) -> Undo:
    """The undo plan as others may see it: a command of the user's own may hold a password."""
    command = str(journal.parameters.get("replace_with") or REPLACE_WITH)

    def shown(text: str) -> str:
        return text if command == REPLACE_WITH else text.replace(command, "--replace-with")

    steps = tuple(replace(step, by_hand=shown(step.by_hand)) for step in journal.undo.steps)
    return replace(journal.undo, steps=steps, detail=shown(journal.undo.detail))
