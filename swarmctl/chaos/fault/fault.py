"""The base of all faults, and what a fault works with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from swarmctl.chaos.fault.kind import Kind, Options
from swarmctl.chaos.journal.journal import TargetRecord, UndoStep
from swarmctl.chaos.world.protocols import Clock, Ec2, Shell
from swarmctl.swarm.engine import Engine
from swarmctl.wait import wait_for

# States of an instance that never runs again.
GONE = ("shutting-down", "terminated", "")


class UndoAction(StrEnum):
    """What an undo step does; the names are part of the journal's format."""

    START_INSTANCE = "start-instance"
    AWAIT_REBOOT = "await-reboot"
    REPLACE_INSTANCE = "replace-instance"
    ACTIVATE_NODE = "activate-node"
    HEAL_NODE = "heal-node"


class MarkMoment(Protocol):
    """Adds a moment to the time line of a run."""

    def __call__(self, kind: str, text: str, at: float | None = None, silenced: str = "") -> None:
        """See :meth:`swarmctl.chaos.run.log.RunLog.mark`."""


@dataclass(frozen=True)
class FaultContext:
    """What a fault works with.

    Args:
        ec2: the EC2 API.
        shell: commands on the nodes.
        engine: requests to the managers.
        clock: the run's time.
        check: raises if the run was interrupted (and may be given up at this point).
        status: shows what is awaited; completes "waiting for …".
        mark: adds a moment to the time line.
        options: see :class:`Options`.
        run_id: of the run; names what is left on the nodes meanwhile.
        ttl_s: seconds until a node undoes the fault by itself (the auto-heal timer).
    """

    ec2: Ec2
    shell: Shell
    engine: Engine
    clock: Clock
    check: Callable[[], None]
    status: Callable[[str], None]
    mark: MarkMoment
    options: Options = field(default_factory=Options)
    run_id: str = ""
    ttl_s: float = 900.0

    def wait_for(
        self,
        what: str,
        poll: Callable[[], tuple[bool | None, str]],
        timeout_s: float,
        interval_s: float = 0.5,
    ) -> None:
        """Poll on the run's clock, see :func:`swarmctl.wait.wait_for`.

        Raises:
            DeadlineExceededError: the message ends with what was seen last.
        """
        wait_for(
            what,
            poll,
            timeout=timeout_s,
            interval=interval_s,
            clock=self.clock.now,
            pause=self.clock.pause,
        )


@dataclass(frozen=True, slots=True)
class FaultEnd:
    """A fault that ended before the run ended it.

    Args:
        at_s: when it was seen not to be in force any more, in run time.
        what: what happened, where.
    """

    at_s: float
    what: str


class Fault(ABC):
    """A way to break something, and to undo it.

    Args:
        context: what it works with.
    """

    kind: ClassVar[Kind]  # set when the fault is registered
    # What each undo step does; ``None``: there is nothing to undo.
    undo_action: ClassVar[UndoAction | None] = None

    def __init__(self, context: FaultContext) -> None:
        self.context = context
        self.end: FaultEnd | None = None  # it was in force, and is not any more
        # Another process began it: it is not known which of its requests have arrived.
        self.begun_elsewhere = False
        # What :meth:`revert` found to be gone for good: node → what became of it.
        self.lost: dict[str, str] = {}

    def refusal(self, targets: Sequence[TargetRecord]) -> str:
        """Why these targets cannot have this fault; ``""`` if they can. Changes nothing."""
        del targets
        return ""

    @abstractmethod
    def describe(self, target: TargetRecord) -> str:
        """What happens to this target, and how it is undone, in one line."""

    def undo_steps(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """How everything this fault may do is undone. Stored before :meth:`inject` is called."""
        if self.undo_action is None:
            return ()
        return tuple(
            UndoStep(self.undo_action, t.node, t.node_id, t.instance_id, self.undo_by_hand(t))
            for t in targets
        )

    def undo_by_hand(self, target: TargetRecord) -> str:
        """The command with which a person undoes it for this target."""
        del target
        return ""

    @abstractmethod
    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Break the targets; return when every request is accepted."""

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """Mark what can be seen of the fault itself. Called several times a second."""
        del targets

    def took_effect(self) -> bool:
        """Whether the fault has had its effect: before that, a verdict means nothing."""
        return True

    def seen_s(self) -> float:
        """When it was last known to be in force on every target, in run time."""
        return self.context.clock.now()

    def note_end(self, what: str) -> None:
        """It is not in force any more on some target, and the run did not end it."""
        if self.end is None:
            self.end = FaultEnd(self.context.clock.now(), what)
            self.context.mark("fault-ended", what)

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Undo what is not undone yet. Can be called any number of times.

        What does not exist any more is not waited for: it is added to ``lost``.

        Raises:
            SwarmctlError: something can't be restored; the message says what.
        """
        del steps

    def gone(self, step: UndoStep) -> bool:
        """Whether the step's machine was terminated; if so, it is added to ``lost``."""
        if not step.instance_id or self.context.ec2.state(step.instance_id) not in GONE:
            return False
        self.lost[step.node] = f"{step.node}: its instance {step.instance_id} was terminated"
        return True
