"""An Engine found anew when none answers: the machine that comes back may be the only manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import ManagerError

T = TypeVar("T")


class ReconnectingEngine:
    """An ``Engine`` that connects at the first request, and again after each that failed.

    Args:
        connect: finds the managers that run now; raises ``SwarmctlError`` when there are none.
    """

    def __init__(self, connect: Callable[[], Engine]) -> None:
        self._connect = connect
        self._engine: Engine | None = None

    def snapshot(self) -> Swarm:
        """See :class:`Engine`."""
        return self._ask(lambda engine: engine.snapshot())

    def get(self, path: str, **filters: list[str]) -> Any:
        """See :class:`Engine`."""
        return self._ask(lambda engine: engine.get(path, **filters))

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """See :class:`Engine`."""
        return self._ask(lambda engine: engine.send(method, path, body, **options))

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        """See :class:`Engine`."""
        return self._ask(lambda engine: engine.text(path, params, limit))

    def _ask(self, question: Callable[[Engine], T]) -> T:
        self._engine = self._engine or self._connect()
        try:
            return question(self._engine)
        except ManagerError:
            self._engine = None
            raise
