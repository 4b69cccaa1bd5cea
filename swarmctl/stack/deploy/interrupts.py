"""Ctrl-C, SIGTERM and a closed terminal during a deploy, or a removal.

The first signal ends it; a deploy is then rolled back. From that moment on, or from a failure
on, further signals are acknowledged but stop nothing: a rollback that is cut off leaves the bad
version running. The handler itself shields, so no second signal comes between the first one and the
``except`` that rolls back.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from swarmctl.reading.commands import word
from swarmctl.signals import Handlers, acknowledge
from swarmctl.stack.deploy.converge import Convergence


@dataclass
class Interrupts(Handlers):
    """The answer to signals while a stack is deployed; a context manager.

    Args:
        stack: the stack's name, for messages.
        work: what is done with it, for messages.
    """

    stack: str
    work: str = "deploy"
    _doing: str = ""  # what must be finished first; "" while a signal ends the deploy
    _deferring: bool = False
    _deferred: bool = False  # a signal came while it was deferring
    _left: str = ""

    def __post_init__(self) -> None:
        """Answer each signal."""
        super().__init__(self._arrived)

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
        acknowledge(
            f"{name}: still {self._doing}{left}; a signal does not stop it. If it must stop: "
            f"kill -9 {os.getpid()}, then swarmctl stack unlock {word(self.stack)}, and begin the "
            f"{self.work} again."
        )

    def _stop(self) -> NoReturn:
        self.shield(f"stopping the {self.work} of {self.stack}")
        raise KeyboardInterrupt
