"""A command on a node, with a deadline: over SSH, or here where the Engine is this machine's own.

The Engine API cannot do everything: it has no volumes of other nodes, and no compose files.
"""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from swarmctl.errors import DeadlineExceededError
from swarmctl.swarm.ssh import ManagerError, open_ssh

if TYPE_CHECKING:
    from swarmctl.swarm.ssh import Endpoint

CONNECT_TIMEOUT = 6.0
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    output: bytes
    errors: str


def run(endpoint: Endpoint, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Done:
    """Run a command on a node and wait for its end.

    Args:
        endpoint: the node.
        argv: the command's words; visible to everyone on that machine, so never a secret.
        stdin: what it reads.
        timeout: seconds for all of it.

    Raises:
        ManagerError: the login failed, or the connection broke.
        DeadlineExceededError: it did not end in time; it is then cut off.
    """
    if endpoint.local:
        return _run_here(argv, stdin, timeout)
    ssh = open_ssh(endpoint, min(CONNECT_TIMEOUT, timeout))
    try:
        return _run_there(ssh, shlex.join(argv), stdin, timeout)
    except TimeoutError as fault:
        raise _too_late(f"{endpoint}", argv, timeout) from fault
    except (paramiko.SSHException, EOFError, OSError) as fault:
        raise ManagerError(f"{endpoint}: {argv[0]}: the connection broke: {fault}") from fault
    finally:
        ssh.close()


def _run_here(argv: Sequence[str], stdin: bytes, timeout: float) -> Done:
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as fault:
        return Done(127, b"", str(fault))
    except subprocess.TimeoutExpired as fault:
        raise _too_late("this machine", argv, timeout) from fault
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def _run_there(ssh: paramiko.SSHClient, command: str, stdin: bytes, timeout: float) -> Done:
    deadline = time.monotonic() + timeout
    transport = ssh.get_transport()
    if transport is None:
        raise paramiko.SSHException("the SSH connection was closed")
    channel = transport.open_session(timeout=timeout)
    channel.settimeout(timeout)
    channel.exec_command(command)
    # stderr beside stdout: a command that fills one while the other is read would wait for ever.
    errors: list[bytes] = []
    aside = threading.Thread(target=_drain_errors, args=(channel, errors), daemon=True)
    aside.start()
    channel.sendall(stdin)
    channel.shutdown_write()
    output = bytearray()
    while block := channel.recv(_BLOCK):
        output += block
        if time.monotonic() > deadline:
            raise TimeoutError
        channel.settimeout(max(0.1, deadline - time.monotonic()))
    aside.join(timeout=max(0.0, deadline - time.monotonic()))
    if not channel.status_event.wait(timeout=max(0.0, deadline - time.monotonic())):
        raise TimeoutError
    if channel.exit_status < 0:
        raise EOFError("it ended without an exit code")
    return Done(channel.exit_status, bytes(output), b"".join(errors).decode(errors="replace"))


def _drain_errors(channel: paramiko.Channel, into: list[bytes]) -> None:
    try:
        while block := channel.recv_stderr(_BLOCK):
            into.append(block)
    except (TimeoutError, OSError):
        return  # the one who reads stdout says so


def _too_late(where: str, argv: Sequence[str], timeout: float) -> DeadlineExceededError:
    return DeadlineExceededError(f"{where}: {argv[0]} did not end within {timeout:g} s")
