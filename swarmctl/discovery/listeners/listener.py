"""What publishes the catalogue somewhere, and the thread that keeps each apart from the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from swarmctl.discovery.edition import Edition
from swarmctl.errors import SwarmctlError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


class Listener(Protocol):
    """Publishes editions."""

    name: str

    def publish(self, edition: Edition) -> None:
        """Make what is published the same as the edition; may take long.

        Called again with the newest edition after a failure, so it must be safe to repeat.

        Raises:
            SwarmctlError: it could not, or not all of it.
        """


@dataclass(frozen=True, slots=True)
class State:
    """How a listener is doing.

    Attributes:
        index: of the edition that it published last; 0 before the first.
        failures: since the last success.
        error: of the last failure; ``""`` after a success.
    """

    index: int = 0
    failures: int = 0
    error: str = ""


class Outlet:
    """A listener in a thread of its own: a slow or failing one delays no other.

    Only the newest edition waits, so a listener that was slow skips those between. After a failure
    it is called again after 0.5 s, 1 s, 2 s … 60 s.

    Args:
        listener: what publishes.
        note: called with a message at the first of several failures, and when it works again.
        pause: waits for so many seconds, or until closed; replaced in tests.
    """

    def __init__(
        self,
        listener: Listener,
        note: Callable[[str], None],
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.listener = listener
        self._note = note
        self._state = State()
        self._newest: Edition | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._thread = threading.Thread(target=self._run, name=listener.name, daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """How it is doing now."""
        return self._state

    @property
    def running(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def offer(self, edition: Edition) -> None:
        """Have an edition published; returns at once."""
        with self._changed:
            self._newest = edition
            self._changed.notify()

    def close(self, seconds: float = 2.0) -> None:
        """Stop; a call under way has so many seconds to end."""
        self._closed.set()
        with self._changed:
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        while (edition := self._next()) is not None:
            try:
                self.listener.publish(edition)
            except SwarmctlError as fault:
                self._failed(fault.message)
            except Exception as fault:  # noqa: BLE001  # a bug in one listener must not end it
                self._failed(f"{type(fault).__name__}: {fault}")
            else:
                self._succeeded(edition)

    def _next(self) -> Edition | None:
        """The newest edition that is not published, or ``None`` when closed."""
        with self._changed:
            while not self._closed.is_set():
                if self._newest is not None and self._newest.index != self._state.index:
                    return self._newest
                self._changed.wait()
        return None

    def _failed(self, error: str) -> None:
        failures = self._state.failures + 1
        self._state = replace(self._state, failures=failures, error=error)
        if failures == 1:
            self._note(f"{self.listener.name}: {error}; trying again")
        self._pause(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)))

    def _succeeded(self, edition: Edition) -> None:
        if self._state.failures:
            self._note(f"{self.listener.name}: works again")
        self._state = State(edition.index)
