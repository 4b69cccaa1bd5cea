"""Talking to a Swarm: connect to whichever manager answers, ask it for everything it knows.

    with connect(endpoints, timeout=4) as client:
        swarm = client.snapshot()

A :class:`SwarmClient` belongs to one manager; when that dies, its calls raise ``ManagerError``
within the request timeout. :class:`Failover` then goes on with the next manager. Both may be used
from several threads.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, Self, TypeVar

import docker
import docker.errors
import paramiko
import requests
import urllib3.exceptions
from docker.constants import DEFAULT_DOCKER_API_VERSION

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm, parse_swarm
from swarmctl.swarm.ssh import Endpoint, EngineAdapter, ManagerError, NotNowError

__all__ = ["Endpoint", "Failover", "ManagerError", "SwarmClient", "connect"]

T = TypeVar("T")

CONNECT_TIMEOUT = 4.0
REQUEST_TIMEOUT = 10.0

# The next manager is tried when the one before has not answered after this many seconds.
STAGGER = 0.7

_BASE_URL = "http+docker://ssh"  # by this prefix the SDK knows what kind of socket it has

# What a connection that breaks may raise. The last two come from paramiko, through urllib3 and
# requests, when the SSH connection ends while a request is being written.
_BREAKS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    EOFError,
    paramiko.SSHException,
)

_COMPLAINTS = (
    (
        "permission denied",
        "the user {user!r} may not use the Docker Engine",
        "add the user to the group docker: sudo usermod -aG docker {user}",
    ),
    (
        "cannot connect to the docker daemon",
        "the Docker Engine is not running",
        "on the node: sudo systemctl start docker; sudo journalctl -u docker tells why it ended",
    ),
    (
        "not found",
        "there is no Docker CLI on the node",
        "playbooks/site.yml installs it (role docker_engine)",
    ),
)


class _Closing(ABC):
    """What is closed at the end of its ``with``."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()


class SwarmClient(_Closing):
    """A connection to one manager. Use :func:`connect`; close it, or use it in a ``with``.

    Attributes:
        docker: the docker SDK's client, for anything not offered here.
        endpoint: the manager.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        """Connect to this manager and no other.

        Args:
            endpoint: the manager.
            connect_timeout: seconds for each step of logging in, and for the first request.
            request_timeout: seconds a request may wait for bytes.

        Raises:
            ManagerError: it cannot be used; the message has its address.
        """
        self.endpoint = endpoint
        self._adapter: EngineAdapter | None = None
        if not endpoint.local:
            self._adapter = EngineAdapter(
                endpoint, connect_timeout=connect_timeout, request_timeout=request_timeout
            )
        self._workers = ThreadPoolExecutor(max_workers=3, thread_name_prefix="snapshot")
        try:
            self.docker = self._know(lambda: self._open_docker(connect_timeout, request_timeout))
            self._cluster_id = str(self._know(self.docker.api.inspect_swarm)["ID"])
        except SwarmctlError:
            self.close()
            raise

    @property
    def address(self) -> str:
        """The address of the manager."""
        return self.endpoint.address

    def cluster_id(self) -> str:
        """The ID of the Swarm; it stays the same on all its managers for its whole life."""
        return self._cluster_id

    def snapshot(self) -> Swarm:
        """Everything this manager knows now.

        Raises:
            ManagerError: it does not answer, or the managers have no leader.
        """
        return parse_swarm(**self.raw_snapshot())

    def raw_snapshot(self) -> dict[str, list[Mapping[str, Any]]]:
        """The Engine's own JSON for nodes, services and tasks, asked for at the same time.

        Raises:
            ManagerError: as :meth:`snapshot`.
        """
        api = self.docker.api
        asked: dict[str, Callable[[], Any]] = {
            "nodes": api.nodes,
            "services": api.services,
            "tasks": api.tasks,
        }
        try:
            waiting = {n: self._workers.submit(self._know, look) for n, look in asked.items()}
            return {name: future.result() for name, future in waiting.items()}
        except (CancelledError, RuntimeError) as fault:  # what an executor raises after shutdown()
            raise ManagerError(f"{self.endpoint}: the connection was closed") from fault

    def ask(self, question: Callable[[], T]) -> T:
        """Call the docker SDK, with failures of the connection or the manager as ManagerError.

        Args:
            question: a call of ``self.docker``; errors that are its own fault (such as "no such
                service") pass through as ``docker.errors.APIError``.
        """
        try:
            return question()
        except docker.errors.APIError as fault:
            if _is_managers_fault(fault):
                raise self._not_ready(str(fault.explanation)) from fault
            raise
        except docker.errors.DockerException as fault:
            raise ManagerError(
                f"{self.endpoint}: the Docker Engine cannot be used: {_innermost(fault)}",
                "docker version, as the same user there, tells more",
            ) from fault
        except requests.exceptions.Timeout as fault:
            # Without a leader some requests hang: the manager still tries to reach the dead one.
            raise NotNowError(
                f"{self.endpoint}: no answer from the Docker Engine",
                "is the machine still up? on it: systemctl status docker",
            ) from fault
        except _BREAKS as fault:
            raise self._broken(fault) from fault

    def _know(self, question: Callable[[], T]) -> T:
        """Like :meth:`ask`, where the Engine has no reason to refuse."""
        try:
            return self.ask(question)
        except docker.errors.APIError as fault:
            raise ManagerError(f"{self.endpoint}: the Engine says: {fault.explanation}") from fault

    def close(self) -> None:
        """End the connection; calls under way fail."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        if self._adapter:
            self._adapter.close()
        elif hasattr(self, "docker"):
            self.docker.close()

    def _open_docker(self, connect_timeout: float, request_timeout: float) -> docker.DockerClient:
        if self._adapter is None:
            return docker.DockerClient(
                base_url=self.endpoint.address, version="auto", timeout=int(request_timeout)
            )
        version = _api_version(self._adapter, connect_timeout)
        # Built for a plain URL, because for ssh:// the SDK would connect by itself.
        client = docker.DockerClient(base_url="http://localhost:2375", version=version)
        client.api.timeout = request_timeout  # type: ignore[assignment] # seconds; fractions work
        client.api.trust_env = False  # no HTTP proxy between us and the SSH connection
        client.api.base_url = _BASE_URL
        client.api.mount(_BASE_URL, self._adapter)
        return client

    def _not_ready(self, explanation: str) -> ManagerError:
        if "swarm manager" in explanation:
            return ManagerError(
                f"{self.endpoint}: it is not a manager of a Swarm",
                "name a manager; playbooks/swarm.yml makes the Swarm",
            )
        if any(word in explanation for word in ("leader", "quorum", "raft")):
            return NotNowError(
                f"{self.endpoint}: the managers have no leader",
                "more than half of the managers must be up; an election takes some seconds",
            )
        return ManagerError(f"{self.endpoint}: {explanation.strip()}")

    def _broken(self, fault: Exception) -> ManagerError:
        said = self._adapter.explain() if self._adapter else ""
        for sign, message, hint in _COMPLAINTS:
            if sign in said.lower():
                user = self.endpoint.user
                return ManagerError(
                    f"{self.endpoint}: {message.format(user=user)}", hint.format(user=user)
                )
        cause = said.splitlines()[-1] if said else _innermost(fault)
        return ManagerError(f"{self.endpoint}: the connection broke: {cause}")


# SwarmKit's words for "not now": there is no leader, or the one that was asked is one no longer
# (manager/state/raft/raft.go: ErrStopped, ErrLostLeadership, ErrNoClusterLeader, ErrNoRaftMember;
# and gRPC's own, from a follower that cannot reach the leader).
# "raft: raft message is too large" is the request's own fault, so "raft:" alone says nothing.
_NOT_NOW = (
    "not have a leader",
    "no elected cluster leader",
    "lost leader status",
    "lost leadership",
    "node is stopped",
    "not yet part of a raft cluster",
    "code = Unavailable",
    "code = DeadlineExceeded",
    "code = Canceled",
    "context deadline exceeded",
    "context canceled",
)


def not_now(words: str) -> bool:
    """Whether these words of the Engine mean that the managers are busy with themselves.

    Another manager, or the same one later, may answer the same request; whether it was carried
    out is not known.
    """
    return any(sign in words for sign in _NOT_NOW)


def _is_managers_fault(fault: docker.errors.APIError) -> bool:
    """Whether another manager, or the same one later, might answer the same request.

    Without a leader, requests end as 503, or as 500 with words for "not now".
    """
    status = fault.response.status_code if fault.response is not None else 0
    return status == 503 or (status >= 500 and not_now(str(fault.explanation)))


def _api_version(adapter: EngineAdapter, timeout: float) -> str:
    """The Engine's own API version; every version it serves it serves in this one as well."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount(_BASE_URL, _Borrowed(adapter))
        answer = session.get(f"{_BASE_URL}/_ping", timeout=timeout)
        answer.raise_for_status()
    return answer.headers.get("Api-Version", DEFAULT_DOCKER_API_VERSION)


class _Borrowed(requests.adapters.BaseAdapter):
    """An adapter that is not closed with the session that uses it."""

    def __init__(self, adapter: EngineAdapter) -> None:
        super().__init__()
        self.send = adapter.send  # type: ignore[method-assign]

    def close(self) -> None:
        """Leave the lender's connection open."""


def _innermost(fault: BaseException) -> str:
    while fault.__cause__ or fault.__context__:
        fault = fault.__cause__ or fault.__context__ or fault
    return str(fault) or type(fault).__name__


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
        outcome: SwarmClient | ManagerError = ManagerError(f"{endpoint}: swarmctl itself failed")
        try:
            outcome = SwarmClient(
                endpoint, connect_timeout=self._timeout, request_timeout=self._request_timeout
            )
        except ManagerError as fault:
            outcome = fault
        finally:  # whatever happened: somebody waits for it
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


class Failover(_Closing):
    """A Swarm that stays reachable as long as one of its managers is.

    Keeps one connection; when its manager fails, the next call goes to another one. Each call
    tries at most one reconnection, so it ends within about ``request_timeout`` plus
    ``connect_timeout`` seconds, with a result or a ManagerError (during an election, for example);
    whoever polls just asks again.

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

    def close(self) -> None:
        """End the connection; a later call makes a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client:
            client.close()

    def only(self, endpoints: Sequence[Endpoint]) -> None:
        """From now on use these managers and no others."""
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
