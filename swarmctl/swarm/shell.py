"""Commands on the nodes themselves, over SSH, as root.

Connections are kept, one a node, and made anew when they break. The script goes in through standard
input: it shows in no process list, and quoting is nobody's problem.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import paramiko

from swarmctl.errors import DeadlineExceededError, SwarmctlError, UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.ssh import Endpoint, ManagerError, open_ssh

CONNECT_TIMEOUT_S = 4.0
REACH_TIMEOUT_S = 0.3

# The user of the cluster's images may use sudo without a password; root needs none.
_SHELL = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'


class CommandError(SwarmctlError):
    """A command on a node ended with an exit status other than 0.

    Attributes:
        status: the exit status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Shells:
    """See ``swarmctl.chaos.world.protocols.Shell``; may be used from several threads.

    Args:
        endpoints: how the nodes are reached, by hostname; asked again when a connection is made,
            because a machine that was started again may have another address.
    """

    endpoints: Callable[[], Mapping[str, Endpoint]]
    _known: dict[str, Endpoint] = field(default_factory=dict)
    _open: dict[str, paramiko.SSHClient] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        """Run a script on a node.

        Raises:
            CommandError: it ended with an exit status other than 0.
            DeadlineExceededError: it did not end in time.
            SwarmctlError: the node cannot be reached.
        """
        deadline = time.monotonic() + timeout_s
        client = self._client(node, min(timeout_s, CONNECT_TIMEOUT_S))
        try:
            return _run(client, node, script, deadline)
        except (paramiko.SSHException, OSError, EOFError) as fault:
            # Also what a time-out inside paramiko raises: the connection may be half dead.
            self._drop(node)
            if isinstance(fault, TimeoutError) and time.monotonic() >= deadline:
                raise DeadlineExceededError(
                    f"{node}: a command did not end within {timeout_s:g} s"
                ) from fault
            raise ManagerError(
                f"{node}: the connection broke: {fault or type(fault).__name__}"
            ) from fault
        except DeadlineExceededError:
            self._drop(node)
            raise

    def reachable(self, node: str) -> bool:
        """Whether the machine accepts a connection to its SSH port, within 0.3 s."""
        try:
            endpoint = self._endpoint(node)
        except UsageError:  # terminated: EC2 does not list it any more
            return False
        with contextlib.suppress(OSError):
            socket.create_connection((endpoint.address, endpoint.port), REACH_TIMEOUT_S).close()
            return True
        return False

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            clients, self._open = list(self._open.values()), {}
        for client in clients:
            client.close()

    def _endpoint(self, node: str) -> Endpoint:
        if node not in self._known:
            self._known = dict(self.endpoints())
        if node not in self._known:
            raise unknown("node", node, self._known)
        return self._known[node]

    def _client(self, node: str, timeout: float) -> paramiko.SSHClient:
        with self._lock:
            client = self._open.get(node)
        transport = client.get_transport() if client else None
        if client and transport and transport.is_active():
            return client
        self._known.pop(node, None)
        fresh = open_ssh(self._endpoint(node), timeout)
        with self._lock:
            stale, self._open[node] = self._open.get(node), fresh
        if stale:
            stale.close()
        return fresh

    def _drop(self, node: str) -> None:
        with self._lock:
            client = self._open.pop(node, None)
        if client:
            client.close()


def _run(client: paramiko.SSHClient, node: str, script: str, deadline: float) -> str:
    left = max(0.1, deadline - time.monotonic())
    stdin, stdout, stderr = client.exec_command(_SHELL, timeout=left)
    channel = stdout.channel
    stdin.write(script)
    stdin.flush()
    channel.shutdown_write()
    said, complaint = stdout.read(), stderr.read()
    if not channel.status_event.wait(max(0.1, deadline - time.monotonic())):
        raise DeadlineExceededError(f"{node}: a command gave no exit status in time")
    status = channel.recv_exit_status()
    if status != 0:
        words = " ".join(complaint.decode(errors="replace").split()) or "no message"
        raise CommandError(f"{node}: a command ended with {status}: {words}", status)
    return said.decode(errors="replace")
