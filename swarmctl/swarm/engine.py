"""Plain requests to the Engine API of whichever manager answers, each with a deadline.

The docker SDK's own calls rebuild a service's spec from arguments and lose what they do not know;
a deploy sends specs exactly as they are.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import docker.errors
import requests
import urllib3.exceptions

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.ssh import ManagerError

if TYPE_CHECKING:
    from swarmctl.swarm.client import SwarmClient
    from swarmctl.swarm.connect import Failover
    from swarmctl.swarm.model import Swarm

Json = dict[str, Any]
T = TypeVar("T")

REQUEST_TIMEOUT = 10.0

Change = Callable[[Json], Json]  # from a spec to the changed one; the same object: nothing to do
_CHANGES = 5  # tries, when other clients are faster


class EngineError(SwarmctlError):
    """The Engine refused a request.

    Attributes:
        status: the HTTP status.
        repeated: whether it had been sent before, without an answer: the refusal may then mean
            that the first request succeeded. Only ``swarmctl.swarm.patience`` sends twice.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.repeated = False


class Engine(Protocol):
    """The Engine API. Paths have no version: ``/services``.

    Every method raises ``EngineError`` when the Engine refuses, and ``ManagerError`` when no
    manager answers: whether a change was made is then not known.
    """

    def snapshot(self) -> Swarm:
        """The Swarm now."""

    def get(self, path: str, **filters: list[str]) -> Any:
        """The JSON under a path; keywords are the Engine's filters."""

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        auth: str = "",
        repeat: bool = False,
    ) -> Any:
        """Change something, or ask with credentials.

        Args:
            method: ``POST``, ``DELETE`` or ``GET``.
            path: without the version.
            body: JSON to send.
            params: the query.
            auth: the header ``X-Registry-Auth``.
            repeat: send it to another manager when one does not answer; only for requests that are
                safe to repeat.
        """

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        """At most ``limit`` bytes of an answer that is not JSON (logs)."""


def delete(engine: Engine, path: str, **params: str) -> None:
    """Remove an object. It is no error if it does not exist."""
    try:
        engine.send("DELETE", path, params=params, repeat=True)
    except EngineError as fault:
        if fault.status != 404:
            raise


def change_node(engine: Engine, node_id: str, change: Change) -> bool:
    """Change a node's spec; see :func:`_change`."""
    return _change(engine, f"/nodes/{node_id}", change)


def change_service(engine: Engine, service_id: str, change: Change) -> bool:
    """Change a service's spec; see :func:`_change`."""
    return _change(engine, f"/services/{service_id}", change)


def change_swarm(engine: Engine, change: Change, *rotate: str) -> bool:
    """Change the Swarm's own spec, which the Engine replaces as a whole; see :func:`_change`.

    Args:
        engine: the Swarm.
        change: from its spec to the changed one.
        rotate: what gets a new value as well: ``rotateWorkerToken``, ``rotateManagerToken``,
            ``rotateManagerUnlockKey``. It is sent even if the spec stays as it is.
    """
    return _change(engine, "/swarm", change, dict.fromkeys(rotate, "true"))


def change_config(engine: Engine, config_id: str, change: Change) -> bool:
    """Change a config's labels: Swarm refuses other changes of its spec; see :func:`_change`."""
    return _change(engine, f"/configs/{config_id}", change)


def change_secret(engine: Engine, secret_id: str, change: Change) -> bool:
    """Change a secret's labels: Swarm refuses other changes of its spec; see :func:`_change`."""
    return _change(engine, f"/secrets/{secret_id}", change)


def _change(
    engine: Engine, path: str, change: Change, more: Mapping[str, str] | None = None
) -> bool:
    """Send a changed spec with the version that was read; read it again if another was faster.

    Returns:
        Whether anything was sent.

    Raises:
        EngineError: the Engine refuses, or other clients keep changing it.
    """
    for attempt in range(_CHANGES):
        there = engine.get(path)
        spec = there["Spec"]
        changed = change(spec)
        if changed is spec and not more:
            return False
        try:
            params = {"version": str(there["Version"]["Index"]), **(more or {})}
            engine.send("POST", f"{path}/update", changed, params=params)
        except EngineError as error:
            # Another client was faster, or an election hid that it is done.
            if "out of sequence" not in error.message or attempt == _CHANGES - 1:
                raise
        else:
            return True
    return False


class ForwardingEngine(ABC):
    """An Engine that passes its requests to another one."""

    @abstractmethod
    def forward(self, request: Callable[[Engine], T]) -> T:
        """Send a request to the other Engine."""

    def snapshot(self) -> Swarm:
        """See :class:`Engine`."""
        return self.forward(lambda engine: engine.snapshot())

    def get(self, path: str, **filters: list[str]) -> Any:
        """See :class:`Engine`."""
        return self.forward(lambda engine: engine.get(path, **filters))

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """See :class:`Engine`."""
        return self.forward(lambda engine: engine.send(method, path, body, **options))

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        """See :class:`Engine`."""
        return self.forward(lambda engine: engine.text(path, params, limit))


class SwarmEngine:
    """The Engine API over a connection that survives its manager."""

    def __init__(self, swarm: Failover) -> None:
        self._swarm = swarm

    def snapshot(self) -> Swarm:
        """See :class:`Engine`."""
        return self._swarm.snapshot()

    def get(self, path: str, **filters: list[str]) -> Any:
        """See :class:`Engine`."""
        params = {"filters": json.dumps(filters)} if filters else None
        return self._swarm.ask(lambda client: _call(client, "GET", path, params=params)).json()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        auth: str = "",
        repeat: bool = False,
    ) -> Any:
        """See :class:`Engine`."""
        headers = {"X-Registry-Auth": auth} if auth else None
        failed: list[ManagerError] = []

        def once(client: SwarmClient) -> requests.Response:
            if failed and not repeat:
                raise failed[0]
            try:
                return _call(client, method, path, body=body, params=params, headers=headers)
            except ManagerError as fault:
                failed.append(fault)
                raise

        answer = self._swarm.ask(once)
        return answer.json() if answer.content else None

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        """See :class:`Engine`."""

        def read(client: SwarmClient) -> bytes:
            with _call(client, "GET", path, params=params, stream=True) as answer:
                return bytes(next(answer.iter_content(limit), b""))

        return self._swarm.ask(read)


def stream(
    client: SwarmClient, path: str, params: Mapping[str, str], silence_s: float
) -> Generator[bytes]:
    """The bytes of an answer as they arrive; closing the generator ends the request.

    Args:
        client: a manager; no other one takes over.
        path: without the version.
        params: the query.
        silence_s: seconds without a byte that end it.

    Raises:
        EngineError: the Engine refuses.
        NotNowError: nothing arrives for so long.
        ManagerError: the connection breaks.
    """
    with _call(client, "GET", path, params=params, stream=True, timeout=silence_s) as answer:
        chunks = answer.raw.stream(amt=None)

        def chunk() -> bytes | None:
            try:
                return next(chunks, None)
            except urllib3.exceptions.ReadTimeoutError as fault:
                raise requests.exceptions.ReadTimeout from fault

        while (found := client.ask(chunk)) is not None:
            yield found


def _call(
    client: SwarmClient,
    method: str,
    path: str,
    *,
    body: Any = None,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    stream: bool = False,
    timeout: float = REQUEST_TIMEOUT,
) -> requests.Response:
    api = client.docker.api

    def question() -> requests.Response:
        answer = api.request(
            method,
            f"{api.base_url}/v{api.api_version}{path}",
            json=body,
            params=dict(params or {}),
            headers=dict(headers or {}),
            timeout=timeout,
            stream=stream,
        )
        try:
            answer.raise_for_status()
        except requests.exceptions.HTTPError as fault:
            # Raises: the SDK's error of that status.
            docker.errors.create_api_error_from_http_exception(fault)
        return answer

    try:
        return client.ask(question)
    except docker.errors.APIError as fault:
        status = fault.response.status_code if fault.response is not None else 0
        raise EngineError(" ".join(str(fault.explanation).split()), status) from fault
