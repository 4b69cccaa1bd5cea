"""A connection that survives the manager it goes through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from swarmctl.swarm.client import CONNECT_TIMEOUT, SwarmClient
from swarmctl.swarm.connect import connect
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import Endpoint, ManagerError

T = TypeVar("T")


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
