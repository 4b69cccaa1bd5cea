"""Commands on a node, over SSH or, when the Engine is local, on this machine.

One deadline covers everything, from login to exit code. Standard output and standard error are read
at the same time: a command that fills one while only the other is read would block for ever.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import paramiko

from swarmctl.errors import DeadlineExceededError, SwarmctlError, UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.ssh import Endpoint, ManagerError, answers, open_ssh

CONNECT_TIMEOUT_S = 6.0
REACH_TIMEOUT_S = 0.3
MAX_OUTPUT = 16 * 2**20
_MAX_ERRORS = 64 * 2**10
_BLOCK = 2**16

# The user of the cluster's images may use sudo without a password; root needs none.
_AS_ROOT = ("sh", "-c", 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi')


class CommandError(SwarmctlError):
    """A command on a node ended with an exit status other than 0.

    Attributes:
        status: the exit status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    code: int
    output: bytes
    errors: str


def run(endpoint: Endpoint, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Finished:
    """Run a command on a node, over a connection of its own.

    Args:
        endpoint: the node.
        argv: the command's words; visible to everyone on that machine, so never a secret.
        stdin: what it reads.
        timeout: seconds for all of it.

    Raises:
        ManagerError: the login failed, the connection broke, or the output is too long.
        DeadlineExceededError: it did not end in time; it is then cut off.
    """
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        ssh = None
        if not endpoint.local:
            ssh = open_ssh(endpoint, min(CONNECT_TIMEOUT_S, timeout))
            stack.callback(ssh.close)
        return _run(f"{endpoint}", ssh, argv, stdin, deadline)


@dataclass
class Shells:
    """Runs scripts on nodes as root; keeps one connection per node. Thread-safe.

    Args:
        endpoints: how the nodes are reached, by hostname; asked again when a connection is made,
            because a machine that was started again may have another address.
    """

    endpoints: Callable[[], Mapping[str, Endpoint]]
    _known: dict[str, Endpoint] = field(default_factory=dict)
    _open: dict[str, paramiko.SSHClient] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opening: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        """Run a script and return its standard output.

        Args:
            node: the hostname.
            script: for ``sh``, through standard input: process lists do not show it.
            timeout_s: seconds, the login included.

        Raises:
            CommandError: it ended with an exit status other than 0.
            DeadlineExceededError: it did not end in time.
            SwarmctlError: the node cannot be reached.
        """
        deadline = time.monotonic() + timeout_s
        ssh = self._connection(node, min(timeout_s, CONNECT_TIMEOUT_S))
        try:
            done = _run(node, ssh, _AS_ROOT, script.encode(), deadline)
        except SwarmctlError:  # the connection may be half dead
            self._drop(node, ssh)
            raise
        if done.code != 0:
            words = " ".join(done.errors.split()) or "no message"
            raise CommandError(f"{node}: a command ended with {done.code}: {words}", done.code)
        return done.output.decode(errors="replace")

    def reachable(self, node: str) -> bool:
        """Whether the machine accepts a connection to its SSH port: within 0.3 s, or 2 s a step
        where it is reached through another."""
        try:
            endpoint = self._endpoint(node)
        except UsageError:  # terminated: EC2 does not list it any more
            return False
        return endpoint.local or answers(endpoint, REACH_TIMEOUT_S)

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

    def _connection(self, node: str, timeout: float) -> paramiko.SSHClient | None:
        """The kept connection, or a new one; ``None`` when the node is this machine.

        One thread logs in and the others wait for it: each with a connection of its own would
        close those of the others.
        """
        with self._lock:
            opening = self._opening[node]
        with opening:
            return self._kept_or_new(node, timeout)

    def _kept_or_new(self, node: str, timeout: float) -> paramiko.SSHClient | None:
        with self._lock:
            client = self._open.get(node)
        transport = client.get_transport() if client else None
        if client and transport and transport.is_active():
            return client
        self._known.pop(node, None)
        endpoint = self._endpoint(node)
        if endpoint.local:
            return None
        fresh = open_ssh(endpoint, timeout)
        with self._lock:
            stale, self._open[node] = self._open.get(node), fresh
        if stale:
            stale.close()
        return fresh

    def _drop(self, node: str, failed: paramiko.SSHClient | None) -> None:
        """Close a connection that failed; another thread may have opened a new one since."""
        with self._lock:
            if self._open.get(node) is failed:
                self._open.pop(node, None)
        if failed:
            failed.close()


def _run(
    where: str, ssh: paramiko.SSHClient | None, argv: Sequence[str], stdin: bytes, deadline: float
) -> Finished:
    """Run a command over SSH, or on this machine when ``ssh`` is ``None``."""
    try:
        if ssh is None:
            done = _run_here(argv, stdin, deadline - time.monotonic())
        else:
            done = _run_there(ssh, argv, stdin, deadline)
    except (TimeoutError, subprocess.TimeoutExpired) as fault:
        raise DeadlineExceededError(f"{where}: {argv[0]} did not end in time") from fault
    except (paramiko.SSHException, EOFError, OSError) as fault:
        words = str(fault) or type(fault).__name__
        raise ManagerError(f"{where}: {argv[0]}: the connection broke: {words}") from fault
    if len(done.output) > MAX_OUTPUT:
        raise ManagerError(f"{where}: {argv[0]} wrote more than {MAX_OUTPUT // 2**20} MiB")
    return done


def _run_here(argv: Sequence[str], stdin: bytes, timeout: float) -> Finished:
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as fault:
        return Finished(127, b"", str(fault))
    return Finished(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def _run_there(
    ssh: paramiko.SSHClient, argv: Sequence[str], stdin: bytes, deadline: float
) -> Finished:
    transport = ssh.get_transport()
    if transport is None:
        raise paramiko.SSHException("the SSH connection was closed")
    left = max(0.1, deadline - time.monotonic())
    # Ends every wait below; paramiko's own time-outs start anew with each block.
    cut_off = threading.Timer(left, ssh.close)
    cut_off.daemon = True
    cut_off.start()
    try:
        channel = transport.open_session(timeout=left)
        with ThreadPoolExecutor(2) as readers, contextlib.closing(channel):
            channel.exec_command(shlex.join(argv))
            output = readers.submit(_read, channel.recv, MAX_OUTPUT + 1)
            errors = readers.submit(_read, channel.recv_stderr, _MAX_ERRORS)
            with contextlib.suppress(OSError):  # it ended without reading: its exit code counts
                channel.sendall(stdin)
            channel.shutdown_write()
            words = errors.result().decode(errors="replace")
            finished = Finished(channel.recv_exit_status(), output.result(), words)
    except (paramiko.SSHException, EOFError, OSError) as fault:
        if time.monotonic() >= deadline:
            raise TimeoutError from fault
        raise
    finally:
        cut_off.cancel()
    if finished.code < 0:
        raise TimeoutError if time.monotonic() >= deadline else EOFError("it gave no exit code")
    return finished


def _read(receive: Callable[[int], bytes], limit: int) -> bytes:
    """The output up to a limit; the rest is read and dropped, so that the command can end."""
    kept = bytearray()
    while block := receive(_BLOCK):
        kept += block[: limit - len(kept)]
    return bytes(kept)
