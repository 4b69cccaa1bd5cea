"""Calls at the rate that AWS allows: waiting is cheaper than being refused and trying again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Pace:
    """A bucket of tokens, as AWS counts calls; used by several threads.

    Args:
        burst: calls that may be made at once.
        per_second: calls that come back each second.
        clock: seconds.
        pause: lets seconds pass; replaced in tests.
    """

    def __init__(
        self,
        burst: float,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._burst, self._per_second = burst, per_second
        self._clock, self._pause = clock, pause
        self._left, self._at = burst, clock()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait until one more call is allowed."""
        with self._lock:
            now = self._clock()
            gained = (now - self._at) * self._per_second
            self._left, self._at = min(self._burst, self._left + gained) - 1, now
            wait = -self._left / self._per_second
        if wait > 0:
            self._pause(wait)
