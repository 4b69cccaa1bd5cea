"""A connection to one manager of a Swarm, with failures in words.

When the manager dies, calls raise ``ManagerError`` within the request timeout;
:class:`swarmctl.swarm.connect.Failover` then goes on with the next manager. May be used from
several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, TypeVar

import docker
import docker.errors
import paramiko
import requests
import urllib3.exceptions
from docker.constants import DEFAULT_DOCKER_API_VERSION

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.manager_errors import broken, innermost, is_managers_fault, not_ready
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.ssh import Endpoint, EngineAdapter, ManagerError, NotNowError

T = TypeVar("T")

CONNECT_TIMEOUT = 4.0
REQUEST_TIMEOUT = 10.0

_BASE_URL = "http+docker://ssh"  # the SDK recognises its kind of socket by this prefix

# What a connection that breaks may raise. The last two come from paramiko, through urllib3 and
# requests, when the SSH connection ends while a request is being written.
_BREAKS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    EOFError,
    paramiko.SSHException,
)


class SwarmClient(AbstractContextManager["SwarmClient"]):
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
        member: bool = True,
    ) -> None:
        """Connect to this manager and no other.

        Args:
            endpoint: the manager.
            connect_timeout: seconds for each step of logging in, and for the first request.
            request_timeout: seconds a request may wait for bytes.
            member: whether it must be in a Swarm now; a locked manager is not yet.

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
            self.docker = self._read(lambda: self._open_docker(connect_timeout, request_timeout))
            self._cluster_id = self._read(self._swarm_id) if member else ""
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
        """Everything this manager knows now; see :meth:`raw_snapshot`."""
        return parse_swarm(self.raw_snapshot())

    def raw_snapshot(self) -> dict[str, list[Mapping[str, Any]]]:
        """The Engine's own JSON for nodes, services and tasks, asked for at the same time.

        Raises:
            ManagerError: it does not answer, or the managers have no leader.
        """
        api = self.docker.api
        lists = {"nodes": api.nodes, "services": api.services, "tasks": api.tasks}
        try:
            answers = {name: self._workers.submit(self._read, call) for name, call in lists.items()}
            return {name: answer.result() for name, answer in answers.items()}
        except (CancelledError, RuntimeError) as fault:  # what an executor raises after shutdown()
            raise ManagerError(f"{self.endpoint}: the connection was closed") from fault

    def ask(self, question: Callable[[], T]) -> T:
        """Call the docker SDK.

        Args:
            question: a call of ``self.docker``.

        Raises:
            ManagerError: the connection or the manager failed.
            docker.errors.APIError: the Engine refused the request itself: "no such service".
        """
        try:
            return question()
        except docker.errors.APIError as fault:
            if is_managers_fault(fault):
                raise not_ready(self.endpoint, str(fault.explanation)) from fault
            raise
        except docker.errors.DockerException as fault:
            raise ManagerError(
                f"{self.endpoint}: the Docker Engine cannot be used: {innermost(fault)}",
                "find out why: run `docker version` there, as the same user",
            ) from fault
        except requests.exceptions.Timeout as fault:
            # Without a leader some requests hang: the manager still tries to reach the dead one.
            raise NotNowError(
                f"{self.endpoint}: no answer from the Docker Engine",
                "is the machine up? run there: systemctl status docker; without a leader it may "
                "not answer for a while",
            ) from fault
        except _BREAKS as fault:
            complaint = self._adapter.explain() if self._adapter else ""
            raise broken(self.endpoint, complaint, fault) from fault

    def _swarm_id(self) -> str:
        """The Swarm's id, also from a proxy that keeps back the join tokens beside it."""
        try:
            return str(self.docker.api.inspect_swarm()["ID"])
        except docker.errors.APIError as fault:
            if fault.status_code != HTTPStatus.FORBIDDEN:
                raise
            cluster = self.docker.info()["Swarm"].get("Cluster") or {}
            if "ID" not in cluster:  # only a manager says it
                raise
            return str(cluster["ID"])

    def _read(self, question: Callable[[], T]) -> T:
        """Like :meth:`ask`, for requests that the Engine has no reason to refuse."""
        try:
            return self.ask(question)
        except docker.errors.APIError as fault:
            words = f"{self.endpoint}: the Engine refused: {fault.explanation}"
            raise ManagerError(words) from fault

    def __exit__(self, *fault: object) -> None:
        self.close()

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


def _api_version(adapter: EngineAdapter, timeout: float) -> str:
    """The newest API version of the Engine."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount(_BASE_URL, _Borrowed(adapter))
        answer = session.get(f"{_BASE_URL}/_ping", timeout=timeout)
        answer.raise_for_status()
    return answer.headers.get("Api-Version", DEFAULT_DOCKER_API_VERSION)


class _Borrowed(requests.adapters.BaseAdapter):
    """Stays open when the session that uses it is closed."""

    def __init__(self, adapter: EngineAdapter) -> None:
        super().__init__()
        self.send = adapter.send  # type: ignore[method-assign]

    def close(self) -> None:
        """The adapter has another owner."""
