"""Requests that outlast an election: they are repeated until a manager answers, or a deadline.

When the leader is lost, requests fail for some seconds, and it is not known whether a change under
way was made ("node lost leader status"). So only requests that are safe to repeat are repeated:
reads; updates, which name the version they change, so that a second one fails with "update out of
sequence"; and creations, which fail with a conflict if the name already exists. After such a
refusal the caller must check whether the first request succeeded: see ``EngineError.repeated``.
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
    """Call ``attempt`` until a manager answers.

    Args:
        attempt: must be safe to call again after a ``ManagerError``.
        seconds: after which its error is raised.
        only: the errors after which it is called again.
        note: called with a message at the first failure.
        clock: monotonic seconds; replaced in tests.
        pause: replaced in tests.

    Raises:
        ManagerError: no manager has answered by then.
        EngineError: the Engine refuses; ``repeated`` says whether this was not the first attempt.
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
        engine: carries out the requests.
        seconds: how long to repeat each of them.
        note: called with a message at the first failure.
    """

    def __init__(
        self, engine: Engine, seconds: float, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._seconds = seconds
        self._note = note

    def forward(self, request: Callable[[Engine], T]) -> T:
        """Send a request once: callers that poll snapshots have their own deadlines."""
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
