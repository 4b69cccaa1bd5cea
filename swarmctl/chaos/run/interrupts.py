"""Ctrl-C, SIGTERM and a closed terminal, each obeyed at a safe moment.

While nothing is at stake a signal ends the run at once. From the undo plan on it only sets a flag,
which the experiment looks at between its calls, so that no call to EC2 is torn apart with its
outcome unknown. And while the undo plan runs, signals are answered but not obeyed.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType, TracebackType
from typing import Any

from swarmctl.errors import Exit, SwarmctlError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedRunError(SwarmctlError):
    """Somebody ended the run."""

    exit_code = Exit.INTERRUPTED


class _Mode(Enum):
    FREE = "nothing is at stake"
    CAREFUL = "something may have to be undone"
    REVERTING = "it is being undone"


@dataclass
class Interrupts:
    """The flag, and what a further signal is answered with.

    Attributes:
        doing: what is being awaited; shown when a signal comes in, because people press Ctrl-C
            again when nothing seems to happen.
    """

    doing: str = ""
    _name: str = ""
    _mode: _Mode = field(default_factory=lambda: _Mode.FREE)
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Interrupts:
        """Take over the signals. Only the main thread of a process can."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

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
        """From now on nothing is given up any more."""
        self._mode = _Mode.REVERTING

    def reverted(self) -> None:
        """The undo plan has run."""
        self._mode = _Mode.CAREFUL

    def check(self) -> None:
        """Stop here if somebody asked for it.

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
            text = f"Still putting things back; this is not given up.{awaited}"
        elif first:
            text = f"{self._name}: ending the run and putting back what was taken.{awaited}"
        else:
            text = f"Already ending the run.{awaited}"
        # Not through Rich: the signal may have come in the middle of one of its writes.
        try:
            os.write(2, f"\n{text}\n".encode())
        except OSError:
            return  # the terminal is gone; the revert is not
