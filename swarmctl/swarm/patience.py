"""Outlasting an election: what fails because no manager answers is asked again, until a deadline.

When the leader is lost, requests fail for some seconds, and of a change that was under way nobody
knows whether it was made ("node lost leader status"). So only what may be sent twice is sent again:
questions; an update, which names the version it changes, so that the second one fails with "update
out of sequence"; and the making of something, which fails with a conflict when its name is there
already. Whoever sends these must look before calling such a refusal an error: see
``EngineError.repeated``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from swarmctl.swarm.engine import Engine, EngineError, ForwardingEngine
from swarmctl.swarm.ssh import ManagerError

T = TypeVar("T")

_INTERVAL = 0.5


def again(
    attempt: Callable[[], T],
    seconds: float,
    *,
    only: type[ManagerError] = ManagerError,
    note: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Call something until a manager answers.

    Args:
        attempt: what to call; it must be safe to call again after a ``ManagerError``.
        seconds: after which its error is raised.
        only: which errors are worth another attempt.
        note: told once, when it has to be tried again.
        clock: monotonic seconds; replaced in tests.
        pause: replaced in tests.

    Raises:
        ManagerError: no manager has answered until then.
        EngineError: the Engine refuses; ``repeated`` says whether it was asked before.
    """
    deadline = clock() + seconds
    repeated = False
    while True:
        try:
            return attempt()
        except EngineError as fault:
            fault.repeated = fault.repeated or repeated
            raise
        except only as fault:
            if clock() >= deadline:
                raise
            if not repeated:
                note(f"{fault.message}; trying again for {seconds:.0f} s at most")
            repeated = True
        pause(_INTERVAL)


class Patient(ForwardingEngine):
    """An Engine (see :class:`swarmctl.swarm.engine.Engine`) that outlasts an election.

    Args:
        engine: whose requests are sent again.
        seconds: for how long, each of them.
        note: told when that begins.
    """

    def __init__(
        self, engine: Engine, seconds: float, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._seconds = seconds
        self._note = note

    def forward(self, request: Callable[[Engine], T]) -> T:
        """Once: whoever polls a snapshot has a deadline, and logs are not worth a wait."""
        return request(self._engine)

    def get(self, path: str, **filters: list[str]) -> Any:
        """See :class:`Engine`."""
        return self._again(lambda: self._engine.get(path, **filters))

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """See :class:`Engine`."""

        def attempt() -> Any:
            return self._engine.send(method, path, body, **options)

        versioned = "version" in (options.get("params") or {})
        may_repeat = options.get("repeat") or method == "GET" or versioned
        return self._again(attempt) if may_repeat or path.endswith("/create") else attempt()

    def _again(self, attempt: Callable[[], T]) -> T:
        return again(attempt, self._seconds, note=self._note)
