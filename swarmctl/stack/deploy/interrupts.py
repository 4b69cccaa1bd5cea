"""Ctrl-C, SIGTERM and a closed terminal during a deploy.

The first signal ends the deploy, which is then rolled back. From that moment on, or from a failure
on, further signals are acknowledged but stop nothing: a rollback that is cut off leaves the bad
version running. The handler itself shields, so no second signal comes between the first one and the
``except`` that rolls back.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn

from swarmctl.stack.deploy.converge import Convergence

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Interrupts:
    """The answer to signals while a stack is deployed; a context manager.

    Args:
        stack: the stack's name, for messages.
    """

    stack: str
    _doing: str = ""  # what must be finished first; "" while a signal ends the deploy
    _deferring: bool = False
    _deferred: bool = False  # a signal came while it was deferring
    _left: str = ""
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Interrupts:
        """Take over the signals, except those this process ignores (nohup). Main thread only."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(self, *fault: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def shield(self, doing: str) -> None:
        """From now on signals are acknowledged only: this must be finished first."""
        self._doing, self._left = doing, ""

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A signal in this short block takes effect at its end."""
        self._deferring = True
        yield
        self._deferring = False
        if self._deferred:
            self._stop()

    def left(self, services: Sequence[Convergence]) -> None:
        """Remember how far the services are, for the next acknowledgement."""
        self._left = ", ".join(str(service) for service in services if not service.converged)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self._deferring:
            self._deferred = True
            return
        if not self._doing:
            self._stop()
        name = signal.Signals(number).name
        left = f" ({self._left})" if self._left else ""
        text = (
            f"{name}: still {self._doing}{left}; a signal does not stop it. If it must stop: "
            f"kill -9 {os.getpid()}, then swarmctl stack unlock {self.stack}, and deploy again."
        )
        # Not through Rich: the signal may have come in the middle of one of its writes.
        with suppress(OSError):  # the terminal may be gone
            os.write(2, f"\n{text}\n".encode())

    def _stop(self) -> NoReturn:
        self.shield(f"stopping the deploy of {self.stack}")
        raise KeyboardInterrupt
