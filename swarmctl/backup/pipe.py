"""Bytes between this machine and a command on a node, as they come: nothing is kept whole.

:mod:`swarmctl.swarm.shell` keeps a command's output in memory; archives are too large for that.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable
from typing import Protocol

import paramiko

from swarmctl.errors import DeadlineExceededError
from swarmctl.swarm.shell import CONNECT_TIMEOUT_S, CommandError
from swarmctl.swarm.ssh import Endpoint, ManagerError, open_ssh

_BLOCK = 2**16
_MAX_ERRORS = 64 * 2**10


class Reader(Protocol):
    """Where bytes come from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Writer(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


def receive(
    endpoint: Endpoint, script: str, take: Callable[[Reader], None], timeout_s: float
) -> None:
    """Run a script on a node as root; its standard output is read while it runs.

    Args:
        endpoint: the node.
        script: for ``sh``; every user of the node can read it, so nothing secret.
        take: reads all of it.
        timeout_s: seconds for all of it.

    Raises:
        CommandError: the script failed; what was taken is worthless then.
        DeadlineExceededError: it did not end in time.
        ManagerError: the node cannot be reached, or the connection broke.
    """
    _piped(endpoint, script, lambda channel: take(_Output(channel)), timeout_s)


def send(endpoint: Endpoint, script: str, give: Callable[[Writer], None], timeout_s: float) -> None:
    """Run a script on a node as root, and write to its standard input; see :func:`receive`."""

    def move(channel: paramiko.Channel) -> None:
        sink = _Input(channel)
        try:
            give(sink)
        except Exception:
            if sink.broken:  # whatever the giver makes of it
                raise sink.broken from None
            raise

    _piped(endpoint, script, move, timeout_s)


def _piped(
    endpoint: Endpoint, script: str, move: Callable[[paramiko.Channel], None], timeout_s: float
) -> None:
    ssh = open_ssh(endpoint, CONNECT_TIMEOUT_S)
    late = threading.Event()

    def cut_off() -> None:
        late.set()
        ssh.close()

    timer = threading.Timer(timeout_s, cut_off)  # paramiko's own time-outs start anew each block
    timer.daemon = True
    timer.start()
    try:
        transport = ssh.get_transport()
        if transport is None:
            raise paramiko.SSHException("the SSH connection was closed")
        channel = transport.open_session(timeout=CONNECT_TIMEOUT_S)
        channel.exec_command(_as_root(script))
        errors = bytearray()
        reader = threading.Thread(target=_collect, args=(channel, errors), daemon=True)
        reader.start()
        broken: OSError | None = None
        try:
            move(channel)
        except OSError as fault:  # it ended early: its exit code and its words tell more
            broken = fault
        channel.shutdown_write()
        code = channel.recv_exit_status()
        reader.join(CONNECT_TIMEOUT_S)
    except (paramiko.SSHException, EOFError, OSError) as fault:
        _raise_if(late, endpoint, timeout_s)
        words = str(fault) or type(fault).__name__
        raise ManagerError(f"{endpoint}: the connection broke: {words}") from fault
    finally:
        timer.cancel()
        ssh.close()
    _raise_if(late, endpoint, timeout_s)
    if code != 0 or broken:
        words = " ".join(errors.decode(errors="replace").split()) or str(broken or "no message")
        raise CommandError(f"{endpoint}: a command ended with {code}: {words}", code)


def _raise_if(late: threading.Event, endpoint: Endpoint, timeout_s: float) -> None:
    if late.is_set():
        raise DeadlineExceededError(f"{endpoint}: a command did not end within {timeout_s:.0f} s")


def _as_root(script: str) -> str:
    quoted = shlex.quote(script)
    return f'if [ "$(id -u)" = 0 ]; then exec sh -c {quoted}; else exec sudo -n sh -c {quoted}; fi'


def _collect(channel: paramiko.Channel, found: bytearray) -> None:
    with contextlib.suppress(OSError):  # the connection was cut; the caller says so
        while block := channel.recv_stderr(_BLOCK):
            found += block[: _MAX_ERRORS - len(found)]


class _Output:
    """A command's standard output, for those who read files."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def read(self, size: int = -1, /) -> bytes:
        return self._channel.recv(size if 0 < size < _BLOCK else _BLOCK)


class _Input:
    """A command's standard input, for those who write files."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.broken: OSError | None = None

    def write(self, data: bytes, /) -> int:
        try:
            self._channel.sendall(data)
        except OSError as fault:
            self.broken = fault
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""
