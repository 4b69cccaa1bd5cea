"""Connecting to whichever manager answers first.

with connect(endpoints, timeout=4) as client:
    swarm = client.snapshot()
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import CONNECT_TIMEOUT, REQUEST_TIMEOUT, SwarmClient
from swarmctl.swarm.ssh import Endpoint, ManagerError, NotNowError

# The next manager is tried when the one before has not answered after this many seconds.
STAGGER = 0.7


def connect(
    endpoints: Sequence[Endpoint],
    timeout: float = CONNECT_TIMEOUT,
    request_timeout: float = REQUEST_TIMEOUT,
) -> SwarmClient:
    """Connect to the first manager that answers.

    They are tried in order, each next one as soon as the one before has failed or has been silent
    for ``STAGGER`` seconds; so a dead manager costs less than a second.

    Args:
        endpoints: the managers.
        timeout: seconds for each step of logging in to one.
        request_timeout: seconds a later request may wait for bytes.

    Raises:
        SwarmctlError: none could be used; the message has every address with its error.
    """
    if not endpoints:
        raise SwarmctlError("there is no manager to connect to")
    race = _Race(endpoints, timeout, request_timeout)
    return race.winner()


class _Race:
    """Attempts to connect that overlap; the first success wins, later ones are closed."""

    def __init__(
        self, endpoints: Sequence[Endpoint], timeout: float, request_timeout: float
    ) -> None:
        self._endpoints = endpoints
        self._timeout = timeout
        self._request_timeout = request_timeout
        self._results: queue.SimpleQueue[SwarmClient | ManagerError] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._over = False

    def winner(self) -> SwarmClient:
        todo = list(self._endpoints)
        failures: list[ManagerError] = []
        while len(failures) < len(self._endpoints):
            if todo:
                # A daemon: a silent manager must not hold up the end of the process.
                threading.Thread(target=self._try, args=(todo.pop(0),), daemon=True).start()
            try:
                result = self._results.get(timeout=STAGGER if todo else None)
            except queue.Empty:
                continue
            if isinstance(result, SwarmClient):
                self._finish()
                return result
            failures.append(result)
        raise _all_failed(failures)

    def _try(self, endpoint: Endpoint) -> None:
        outcome: SwarmClient | ManagerError = ManagerError(
            f"{endpoint}: internal error of swarmctl"
        )
        try:
            outcome = SwarmClient(
                endpoint, connect_timeout=self._timeout, request_timeout=self._request_timeout
            )
        except ManagerError as fault:
            outcome = fault
        finally:  # winner() waits for an outcome, whatever happened
            self._deliver(outcome)

    def _deliver(self, outcome: SwarmClient | ManagerError) -> None:
        with self._lock:
            if not self._over:
                self._results.put(outcome)
                return
        if isinstance(outcome, SwarmClient):
            outcome.close()

    def _finish(self) -> None:
        with self._lock:
            self._over = True
        while not self._results.empty():
            late = self._results.get()
            if isinstance(late, SwarmClient):
                late.close()


def _all_failed(failures: Sequence[ManagerError]) -> SwarmctlError:
    kind = NotNowError if any(isinstance(f, NotNowError) for f in failures) else ManagerError
    if len(failures) == 1:
        return kind(f"cannot reach the Swarm: {failures[0].message}", failures[0].hint)
    listing = "".join(f"\n  {failure.message}" for failure in failures)
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    return kind(f"cannot reach the Swarm, no manager could be used:{listing}", "; ".join(hints))
