"""An Engine found anew when none answers: the machine that comes back may be the only manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from swarmctl.swarm.engine import Engine, ForwardingEngine
from swarmctl.swarm.ssh import ManagerError

T = TypeVar("T")


class ReconnectingEngine(ForwardingEngine):
    """An ``Engine`` that connects at the first request, and again after each that failed.

    Args:
        connect: finds the managers that run now; raises ``SwarmctlError`` when there are none.
    """

    def __init__(self, connect: Callable[[], Engine]) -> None:
        self._connect = connect
        self._engine: Engine | None = None

    def forward(self, request: Callable[[Engine], T]) -> T:
        """Carry out a request; after a failure the next one connects anew."""
        self._engine = self._engine or self._connect()
        try:
            return request(self._engine)
        except ManagerError:
            self._engine = None
            raise
