"""What publishes the catalogue somewhere, and the thread that keeps each apart from the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from swarmctl.discovery.edition import Edition
from swarmctl.errors import SwarmctlError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 0.5, 1, 2 … 60."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))


class PublishError(SwarmctlError):
    """A listener published only part of an edition.

    Args:
        message: what failed, and why.
        retry_s: seconds after which it is worth trying again.
    """

    def __init__(self, message: str, retry_s: float) -> None:
        super().__init__(message)
        self.retry_s = retry_s


class Listener(Protocol):
    """Publishes editions.

    Attributes:
        name: for the log and ``/metrics``.
        refresh_s: seconds after which an edition is published again though the Swarm is unchanged,
            because what others may have changed is compared again; ``None``: never.
    """

    name: str

    @property
    def refresh_s(self) -> float | None:
        """See above."""

    def publish(self, edition: Edition) -> None:
        """Make what is published the same as the edition; may take long.

        Called again with the newest edition after a failure, so it must be safe to repeat.

        Raises:
            SwarmctlError: it could not, or not all of it.
        """


class Publisher(Listener, Protocol):
    """A listener that writes to AWS."""

    def changes(self, edition: Edition) -> list[str]:
        """What :meth:`publish` would change, a line each; writes nothing.

        Raises:
            SwarmctlError: what is there cannot be read.
        """


@runtime_checkable
class Supersedable(Listener, Protocol):
    """A listener that takes long, and returns early for a newer edition.

    Attributes:
        superseded: whether a newer edition waits; set by its :class:`Outlet`.
    """

    superseded: Callable[[], bool]


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
    it is called again after 0.5 s, 1 s, 2 s … 60 s, or when it asked for; and at once with a newer
    edition: what failed for one service must not hold back the changes of another.

    Args:
        listener: what publishes.
        note: called with a message at the first of several failures, and when it works again.
        pause: waits for so many seconds, or less if closed or if a newer edition is there;
            replaced in tests.
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
        self._tried: Edition | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._pause = pause or self._until_newer
        self._published_at = time.monotonic()
        if isinstance(listener, Supersedable):
            listener.superseded = self._superseded
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
            self._tried = edition
            try:
                self.listener.publish(edition)
            except PublishError as fault:
                self._failed(fault.message, fault.retry_s)
            except SwarmctlError as fault:
                self._failed(fault.message)
            except Exception as fault:  # noqa: BLE001  # a bug in one listener must not end it
                self._failed(f"{type(fault).__name__}: {fault}")
            else:
                self._succeeded(edition)

    def _next(self) -> Edition | None:
        """The newest edition when it is to be published, or ``None`` when closed."""
        with self._changed:
            while not self._closed.is_set():
                due = self._due_s()
                if due is not None and due <= 0:
                    return self._newest
                self._changed.wait(due)
        return None

    def _due_s(self) -> float | None:
        """Seconds until the newest edition is to be published; ``None``: when there is another."""
        if self._newest is None:
            return None
        if self._newest.index != self._state.index:
            return 0
        refresh = self.listener.refresh_s
        return refresh and self._published_at + refresh - time.monotonic()

    def _superseded(self) -> bool:
        return self._closed.is_set() or self._newest is not self._tried

    def _until_newer(self, seconds: float) -> None:
        """Wait for so many seconds, or until closed or there is a newer edition."""
        with self._changed:
            self._changed.wait_for(self._superseded, seconds)

    def _failed(self, error: str, retry_s: float | None = None) -> None:
        failures = self._state.failures + 1
        if failures == 1:
            self._note(f"{self.listener.name}: {error}; trying again")
        self._state = replace(self._state, failures=failures, error=error)
        self._pause(backoff(failures) if retry_s is None else min(retry_s, LONGEST_PAUSE_S))

    def _succeeded(self, edition: Edition) -> None:
        if self._state.failures:
            self._note(f"{self.listener.name}: works again")
        self._state, self._published_at = State(edition.index), time.monotonic()
