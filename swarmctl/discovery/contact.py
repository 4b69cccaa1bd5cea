"""When the managers were last heard: how old what is published may be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Contact:
    """Written by the poller, read by whoever publishes.

    Attributes:
        lost: why the managers do not answer; ``""`` while they do.
    """

    clock: Callable[[], float] = time.monotonic
    lost: str = ""
    _heard_at: float | None = field(default=None)

    @property
    def age(self) -> float:
        """Seconds since the managers' last answer; 0 before the first."""
        return 0.0 if self._heard_at is None else max(0.0, self.clock() - self._heard_at)

    def heard(self) -> None:
        """Record an answer."""
        self._heard_at, self.lost = self.clock(), ""

    def failed(self, why: str) -> None:
        """Record that they do not answer."""
        self.lost = why
