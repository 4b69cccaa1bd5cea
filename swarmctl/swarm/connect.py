"""Connecting to whichever manager answers, for one connection or for as long as one answers.

with connect(endpoints, timeout=4) as client:
    swarm = client.snapshot()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from typing import TypeVar

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import CONNECT_TIMEOUT, REQUEST_TIMEOUT, SwarmClient
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import Endpoint, ManagerError, NotNowError

T = TypeVar("T")

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
    todo, attempts = list(endpoints), set[Future[SwarmClient]]()
    failures: list[ManagerError] = []
    while todo or attempts:
        if todo:
            attempts.add(_attempt(todo.pop(0), timeout, request_timeout))
        ended, attempts = wait(attempts, STAGGER if todo else None, FIRST_COMPLETED)
        for attempt in ended:
            if isinstance(fault := attempt.exception(), ManagerError):
                failures.append(fault)
                continue
            for other in (ended | attempts) - {attempt}:
                other.add_done_callback(_close)
            return attempt.result()
    raise _all_failed(failures)


def _attempt(
    endpoint: Endpoint, connect_timeout: float, request_timeout: float
) -> Future[SwarmClient]:
    attempt: Future[SwarmClient] = Future()

    def run() -> None:
        try:
            attempt.set_result(
                SwarmClient(
                    endpoint, connect_timeout=connect_timeout, request_timeout=request_timeout
                )
            )
        except ManagerError as fault:
            attempt.set_exception(fault)
        finally:  # connect() waits for an outcome, whatever happened
            if not attempt.done():
                attempt.set_exception(ManagerError(f"{endpoint}: internal error of swarmctl"))

    # A daemon: a silent manager must not delay the end of the process.
    threading.Thread(target=run, daemon=True).start()
    return attempt


def _close(late: Future[SwarmClient]) -> None:
    if not late.exception():
        late.result().close()


def _all_failed(failures: Sequence[ManagerError]) -> SwarmctlError:
    kind = NotNowError if any(isinstance(f, NotNowError) for f in failures) else ManagerError
    if len(failures) == 1:
        return kind(f"cannot reach the Swarm: {failures[0].message}", failures[0].hint)
    listing = "".join(f"\n  {failure.message}" for failure in failures)
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    return kind(f"cannot reach the Swarm, no manager could be used:{listing}", "; ".join(hints))


class Failover(AbstractContextManager["Failover"]):
    """A Swarm that stays reachable as long as one of its managers is.

    Keeps one connection; when its manager fails, the next call goes to another one. Each call
    tries at most one reconnection, so it ends within about ``request_timeout`` plus
    ``connect_timeout`` seconds, with a result or a ManagerError (during an election, for example);
    callers that poll ask again.

    Args:
        endpoints: the managers.
        connect_timeout: seconds for each step of logging in to one.
        request_timeout: seconds a request may wait for bytes.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        request_timeout: float = 3.0,
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._connect_timeout = connect_timeout
        self._request_timeout = request_timeout
        self._client: SwarmClient | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """The manager of the last answer, or ``""`` while there is none."""
        client = self._client
        return client.address if client else ""

    def client(self) -> SwarmClient:
        """The current connection, made anew if there is none.

        Raises:
            SwarmctlError: no manager could be used.
        """
        with self._lock:
            if self._client is None:
                self._client = connect(
                    self._endpoints, self._connect_timeout, self._request_timeout
                )
            return self._client

    def ask(self, question: Callable[[SwarmClient], T]) -> T:
        """Call ``question`` with a connection; once more, with another manager, if that one fails.

        Raises:
            SwarmctlError: the second attempt failed as well.
        """
        client = self.client()
        try:
            return question(client)
        except ManagerError:
            self._drop(client)
        client = self.client()
        try:
            return question(client)
        except ManagerError:
            self._drop(client)
            raise

    def snapshot(self) -> Swarm:
        """Everything the managers know now; see :meth:`ask`."""
        return self.ask(SwarmClient.snapshot)

    def cluster_id(self) -> str:
        """The ID of the Swarm; see :meth:`ask`."""
        return self.ask(SwarmClient.cluster_id)

    def __exit__(self, *fault: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; a later call makes a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client:
            client.close()

    def only(self, endpoints: Sequence[Endpoint]) -> None:
        """Use these managers and no others from now on."""
        with self._lock:
            self._endpoints = tuple(endpoints)
        self.close()

    def _drop(self, failed: SwarmClient) -> None:
        """Forget a connection that failed, unless another thread already has."""
        with self._lock:
            if self._client is not failed:
                return
            self._client = None
            # The one that failed goes last, so that its silence is not waited for again.
            first = [e for e in self._endpoints if e != failed.endpoint]
            self._endpoints = (*first, failed.endpoint)
        failed.close()
