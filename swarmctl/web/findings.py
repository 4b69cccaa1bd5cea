"""What ``swarmctl audit`` finds, for any number of viewers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from swarmctl.audit.check import Check

# An audit asks every node: two viewers get the same one.
AGAIN_S = 10.0


class Findings:
    """The last audit, and a new one if it is older than that.

    Args:
        checks: audits; raises ``SwarmctlError`` when it cannot.
        clock: seconds.
    """

    def __init__(
        self, checks: Callable[[], Sequence[Check]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks, self._clock = checks, clock
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {}
        self._until = float("-inf")

    def ask(self) -> dict[str, Any]:
        """The checks, and when they were made, in seconds since 1970."""
        with self._lock:
            if self._clock() >= self._until:
                begin = time.time()
                self._found = {"checks": [asdict(c) for c in self._checks()], "as_of": begin}
                self._until = self._clock() + AGAIN_S
            return self._found
