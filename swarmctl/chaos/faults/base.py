"""What every fault can do, and what it gets to do it with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from swarmctl.chaos.journal import TargetRecord, UndoStep
from swarmctl.chaos.seams import Clock, Ec2


@dataclass(frozen=True)
class Setting:
    """The surroundings of a fault.

    Args:
        ec2: the EC2 API.
        clock: the run's time.
        check: raises when the run was interrupted (and may be given up at this point).
        status: says what is being awaited; completes "waiting for …".
        mark: puts a moment on the time line: its kind and its text.
    """

    ec2: Ec2
    clock: Clock
    check: Callable[[], None]
    status: Callable[[str], None]
    mark: Callable[[str, str], None]


class Fault(Protocol):
    """A way to take nodes away, and to put them back."""

    def describe(self, target: TargetRecord) -> str:
        """What will happen to this target, in one line."""

    def plan(self, targets: Sequence[TargetRecord]) -> tuple[UndoStep, ...]:
        """How everything this fault may do is undone. Called, and stored, before ``inject``."""

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        """Do it; returns when every request is accepted."""

    def watch(self, targets: Sequence[TargetRecord]) -> None:
        """A chance, a few times a second, to note how the fault itself goes on."""

    def revert(self, steps: Sequence[UndoStep]) -> None:
        """Undo what is not undone yet; can be called any number of times.

        Raises:
            SwarmctlError: something can't be put back; the message says what.
        """
