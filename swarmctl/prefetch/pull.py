"""Pulls images on nodes, through each node's own Engine.

The credentials go to the Engine in the header of the request, inside the SSH connection: they are
on no command line and on no disk of the node.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import docker.errors
import paramiko
import requests
import urllib3.exceptions

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.prefetch.plan import Pull
from swarmctl.swarm.node import stored_name
from swarmctl.swarm.ssh import Endpoint, EngineAdapter, ManagerError

# A registry serves all nodes at once, and a node has its own work to do.
NODES_AT_ONCE, PULLS_PER_NODE = 8, 2
PULL_TIMEOUT_S = 120.0
_CONNECT_TIMEOUT_S = 5.0

# Image → header X-Registry-Auth; "" without credentials.
Credentials = Callable[[str], str]

_BASE_URL = "http+docker://ssh"
_BREAKS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    paramiko.SSHException,
    docker.errors.DockerException,
    OSError,
    EOFError,
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a pull ended.

    Attributes:
        pull: what was to be pulled.
        seconds: how long it took.
        fault: why the node does not have the image; ``""`` if it has.
    """

    pull: Pull
    seconds: float
    fault: str = ""


def pull_all(
    pulls: Sequence[Pull],
    endpoints: Mapping[str, Endpoint],
    credentials: Credentials,
    *,
    timeout_s: float = PULL_TIMEOUT_S,
    note: Callable[[Pulled], None] = lambda _: None,
) -> list[Pulled]:
    """Pull images on their nodes, several at a time; a node that fails does not stop the others.

    Args:
        pulls: what and where.
        endpoints: how the nodes are reached, by hostname.
        credentials: for registries with authentication.
        timeout_s: seconds for each node, the login included.
        note: called after each pull, from the thread that did it.
    """
    by_node: dict[str, list[Pull]] = {}
    for pull in pulls:
        by_node.setdefault(pull.node, []).append(pull)
    if not by_node:
        return []
    auths = {image: credentials(image) for image in sorted({pull.image for pull in pulls})}
    connections: list[requests.Session] = []

    def on(node: str) -> list[Pulled]:
        return _on_node(by_node[node], endpoints.get(node), auths, timeout_s, note, connections)

    with ThreadPoolExecutor(min(NODES_AT_ONCE, len(by_node))) as pool:
        try:
            return [done for ended in pool.map(on, by_node) for done in ended]
        except BaseException:  # Ctrl-C does not wait for the pulls
            pool.shutdown(wait=False, cancel_futures=True)
            for connection in connections:
                connection.close()
            raise


def _on_node(
    pulls: Sequence[Pull],
    endpoint: Endpoint | None,
    auths: Mapping[str, str],
    timeout_s: float,
    note: Callable[[Pulled], None],
    connections: list[requests.Session],
) -> list[Pulled]:
    started = time.monotonic()

    def ended(pull: Pull, fault: str = "") -> Pulled:
        done = Pulled(pull, time.monotonic() - started, fault)
        note(done)
        return done

    if endpoint is None:
        return [ended(pull, "EC2 lists no running instance of this name") for pull in pulls]
    try:
        with _engine(endpoint, timeout_s) as engine, ThreadPoolExecutor(PULLS_PER_NODE) as pool:
            connections.append(engine)

            def attempt(pull: Pull) -> Pulled:
                try:
                    pull_image(engine, pull.image, auths[pull.image], timeout_s)
                except SwarmctlError as fault:
                    return ended(pull, fault.message)
                return ended(pull)

            return list(pool.map(attempt, pulls))
    except ManagerError as fault:
        return [ended(pull, fault.message) for pull in pulls]


@contextmanager
def _engine(endpoint: Endpoint, timeout_s: float) -> Iterator[requests.Session]:
    """Requests to a node's Engine; the connection is cut off when the time is over."""
    connect_timeout = min(_CONNECT_TIMEOUT_S, timeout_s)
    adapter = EngineAdapter(endpoint, connect_timeout=connect_timeout, request_timeout=timeout_s)
    cut_off = threading.Timer(timeout_s, adapter.close)
    cut_off.daemon = True
    cut_off.start()
    with requests.Session() as session:
        session.trust_env = False
        session.mount(_BASE_URL, adapter)  # closed with the session
        try:
            yield session
        finally:
            cut_off.cancel()


def pull_image(engine: requests.Session, image: str, auth: str, timeout_s: float) -> None:
    """Pull an image and check that the node holds exactly this one.

    Args:
        engine: of the node.
        image: a name with a digest or a tag; ``latest`` without both.
        auth: the header X-Registry-Auth, or ``""``.
        timeout_s: seconds, before the connection is cut off.

    Raises:
        SwarmctlError: the registry or the node refused, or the time was over.
    """
    deadline = time.monotonic() + timeout_s
    name = image if "@" in image else stored_name(image)
    seen = "nothing"
    try:
        for event in _events(engine, name, auth, timeout_s):
            if words := event.get("error"):
                raise SwarmctlError(" ".join(str(words).split()))
            seen = str(event.get("status", seen))
        answer = engine.get(f"{_BASE_URL}/images/{name}/json", timeout=timeout_s)
    except _BREAKS as fault:
        if time.monotonic() >= deadline - 0.1:
            words = f"not pulled within {timeout_s:g} s; last seen: {seen}"
            raise DeadlineExceededError(words) from fault
        raise SwarmctlError(f"the connection broke: {fault or type(fault).__name__}") from fault
    if not answer.ok:
        raise SwarmctlError(f"pulled, but the Engine does not have it: {_message(answer)}")


def _events(
    engine: requests.Session, name: str, auth: str, timeout_s: float
) -> Iterable[Mapping[str, object]]:
    answer = engine.post(
        f"{_BASE_URL}/images/create",
        params={"fromImage": name},
        headers={"X-Registry-Auth": auth} if auth else {},
        timeout=timeout_s,
        stream=True,
    )
    if not answer.ok:
        raise SwarmctlError(_message(answer))
    for line in answer.iter_lines():
        if line:
            yield json.loads(line)


def _message(answer: requests.Response) -> str:
    try:
        return " ".join(str(answer.json()["message"]).split())
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
