"""Ctrl-C, SIGTERM and a closed terminal, each handled at a safe moment.

Before the undo plan is stored a signal ends the run at once. From then on it only sets a flag that
the experiment checks between its calls: no call to EC2 is cut off with an unknown outcome.
While the undo plan is carried out, signals are acknowledged but do not stop it.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType

from swarmctl.errors import Exit, SwarmctlError
from swarmctl.signals import Handlers, acknowledge


class InterruptedRunError(SwarmctlError):
    """A signal, or the user's answer, ended the run."""

    exit_code = Exit.INTERRUPTED


class _Mode(Enum):
    FREE = "nothing has to be undone"
    CAREFUL = "something may have to be undone"
    REVERTING = "it is being undone"


@dataclass
class Interrupts(Handlers):
    """The flag, and the answer to a further signal.

    Attributes:
        doing: what is being awaited; shown when a signal comes, because users press Ctrl-C again
            when nothing seems to happen.
    """

    doing: str = ""
    _name: str = ""
    _mode: _Mode = field(default_factory=lambda: _Mode.FREE)

    def __post_init__(self) -> None:
        """Answer each signal."""
        super().__init__(self._arrived)

    @property
    def seen(self) -> str:
        """The name of the signal that came, or ``""``."""
        return self._name

    def note(self, name: str) -> None:
        """Set the flag (what a signal does; also the tests' way in)."""
        self._name = self._name or name

    def careful(self) -> None:
        """From now on something may have to be undone: a signal only sets the flag."""
        self._mode = _Mode.CAREFUL

    def reverting(self) -> None:
        """From now on signals are acknowledged only."""
        self._mode = _Mode.REVERTING

    def reverted(self) -> None:
        """The undo plan is carried out: signals set the flag again."""
        self._mode = _Mode.CAREFUL

    def check(self) -> None:
        """End the run here if a signal came.

        Raises:
            InterruptedRunError: a signal came, and nothing is being undone at the moment.
        """
        if self._name and self._mode is not _Mode.REVERTING:
            raise InterruptedRunError(f"interrupted by {self._name}")

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        first = not self._name
        self.note(signal.Signals(number).name)
        if self._mode is _Mode.FREE:
            self.check()
        awaited = f" Waiting for {self.doing}." if self.doing else ""
        if self._mode is _Mode.REVERTING:
            text = f"Still reverting; a signal does not stop it.{awaited}"
        elif first:
            text = f"{self._name}: ending the run and putting back what was taken.{awaited}"
        else:
            text = f"Already ending the run.{awaited}"
        acknowledge(text)
