"""The Engine API through SSH: HTTP inside ``docker system dial-stdio`` on a manager.

The docker SDK has such an adapter, but it looks host keys up by address in ``~/.ssh/known_hosts``,
offers every key of the user's agent, has no time limits, and hides the remote command's errors.
This one checks the host key under an alias in a file of the cluster, uses the key it is given,
limits every wait, and keeps the remote command's standard error for the message.
"""

from __future__ import annotations

import errno
import logging
import queue
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko
import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions
from docker.transport.basehttpadapter import BaseHTTPAdapter
from paramiko.pkey import UnknownKeyType

from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.ssh_jump import Jumps

COMMAND = "docker system dial-stdio"

# Every failure is raised; without this, paramiko's thread prints a traceback of it as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# sshd allows ten sessions on a connection by default (MaxSessions); each pooled one is a session.
MAX_SESSIONS = 8
# Seconds in which a node behind a jump host, which has to be logged in to first, may answer.
_THROUGH_S = 2.0


class ManagerError(SwarmctlError):
    """This manager cannot be used now; another one may do."""


class NotNowError(ManagerError):
    """This manager is up, but cannot answer now: an election, for example, or no quorum."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one manager.

    ``address`` is an IP or a name, or ``unix:///path`` for an Engine on this machine. The host key
    must be in one of the ``known_hosts`` files under the name ``host_key_alias``. Without a
    ``key_file`` the user's own agent and keys are offered; with ``own_keys`` beside it, too. A node
    that is reached through others has ``jumps``, which are tried in order. ``clusters`` are folders
    of clusters: the playbooks record host keys under instance ids, so a host that is only known by
    its address may have any key that is recorded there; it is then a node of that cluster. ``name``
    is for messages.
    """

    address: str
    user: str = ""
    port: int = 22
    host_key_alias: str = ""
    key_file: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    clusters: tuple[Path, ...] = ()
    name: str = ""
    own_keys: bool = False
    jumps: tuple[Endpoint, ...] = ()

    @property
    def local(self) -> bool:
        """Whether it is a socket on this machine."""
        return self.address.startswith("unix://")

    def __str__(self) -> str:
        where = self.address if self.local else f"{self.user}@{self.address}:{self.port}"
        return f"{self.name} ({where})" if self.name else where


class _IsNodeError(Exception):
    """The host key is that of a cluster's node: ``endpoint`` says how to reach such a one."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    """Accepts recorded host keys only; they are recorded before the first connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        del client
        for folder in self.endpoint.clusters:
            if node := _node_with(key, folder, self.endpoint):
                raise _IsNodeError(node)
        files = ", ".join(map(str, self.endpoint.known_hosts)) or "any known_hosts file"
        name = word(self.endpoint.name or "NODE")
        raise ManagerError(
            f"{self.endpoint}: its host key ({key.get_name()} {key.fingerprint}) is not known: "
            f"{files} has no entry {hostname!r}",
            f"record the key that EC2's console output shows: swarmctl node trust {name}; "
            f"or check the fingerprint and add the key under {hostname!r}",
        )


def _node_with(key: paramiko.PKey, folder: Path, endpoint: Endpoint) -> Endpoint | None:
    """The endpoint as a node of the cluster in ``folder``, if the host key is one of its nodes'."""
    file, login = folder / "known_hosts", folder / "id_ed25519"
    if not (file.is_file() and login.is_file()):
        return None
    for name, known in paramiko.HostKeys(str(file)).items():
        if known.get(key.get_name()) == key:
            return replace(
                endpoint, host_key_alias=name, key_file=login, known_hosts=(file,), clusters=()
            )
    return None


def open_ssh(endpoint: Endpoint, timeout: float) -> paramiko.SSHClient:
    """Log in to a manager, checking its host key.

    Args:
        endpoint: where and as whom.
        timeout: seconds, for each of: TCP connection, SSH banner, key exchange, authentication.

    Raises:
        ManagerError: it does not answer, its host key is unknown or another, or login is refused.
    """
    try:
        return _log_in(endpoint, timeout)
    except _IsNodeError as found:
        return _log_in(found.endpoint, timeout)


def _log_in(endpoint: Endpoint, timeout: float) -> paramiko.SSHClient:
    own_keys = endpoint.own_keys or endpoint.key_file is None
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_RefuseUnknown(endpoint))
    wire = open_wire(endpoint, timeout)
    try:
        for path in endpoint.known_hosts:
            if path.is_file():
                client.load_host_keys(str(path))
        client.connect(
            # With a socket given, name and port only say under which name the host key is known.
            hostname=endpoint.host_key_alias or endpoint.address,
            port=22,
            sock=wire,
            username=endpoint.user,
            pkey=_load_key(endpoint),
            allow_agent=own_keys,
            look_for_keys=own_keys,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            channel_timeout=timeout,
        )
    except (paramiko.SSHException, OSError, EOFError) as fault:
        client.close()
        wire.close()
        raise _login_error(endpoint, fault) from fault
    except (SwarmctlError, _IsNodeError):
        client.close()
        wire.close()
        raise
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(5)
    return client


def _load_key(endpoint: Endpoint) -> paramiko.PKey | None:
    """The key to log in with.

    Not left to ``SSHClient.connect(key_filename=…)``: that tries the file as every kind of key,
    and reports the last failure instead of the first.
    """
    if endpoint.key_file is None:
        return None
    try:
        return paramiko.PKey.from_path(endpoint.key_file)
    except FileNotFoundError:
        why = "does not exist"
    except PermissionError:
        why = "cannot be read"
    except TypeError:  # what the cryptography package raises for it
        why = "has a passphrase"
    except (ValueError, UnknownKeyType, paramiko.SSHException) as fault:
        why = f"is no private key: {fault}"
    raise ManagerError(f"{endpoint}: the key {endpoint.key_file} {why}")


def answers(endpoint: Endpoint, timeout: float) -> bool:
    """Whether a node's SSH port accepts a connection.

    Args:
        endpoint: the node.
        timeout: seconds, for each step.
    """
    if endpoint.jumps:
        timeout = max(timeout, _THROUGH_S)
    try:
        open_wire(endpoint, timeout).close()
    except ManagerError:
        return False
    return True


def open_wire(endpoint: Endpoint, timeout: float) -> socket.socket | paramiko.Channel:
    """A connection to a node's SSH port, through a jump host where it has one.

    Raises:
        ManagerError: it does not answer, or no jump host can be used.
    """
    if endpoint.jumps:
        try:
            return _JUMPS.through(endpoint.jumps, endpoint.address, endpoint.port, timeout)
        except (OSError, paramiko.SSHException, EOFError) as fault:
            raise _login_error(endpoint, fault) from fault
    try:
        wire = socket.create_connection((endpoint.address, endpoint.port), timeout)
    except OSError as fault:
        raise _login_error(endpoint, fault) from fault
    # Requests are small and answers are waited for: Nagle's delay would be felt.
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def _login_error(endpoint: Endpoint, fault: Exception) -> ManagerError:
    if isinstance(fault, paramiko.BadHostKeyException):
        return ManagerError(
            f"{endpoint}: its host key ({fault.key.fingerprint}) is not the recorded one "
            f"({fault.expected_key.fingerprint})",
            "this is another machine, or someone in between; if its key was changed on purpose, "
            "compare it on the machine, then record it: "
            f"swarmctl node trust {word(endpoint.name or 'NODE')} --key 'ssh-ed25519 AAAA…'",
        )
    if isinstance(fault, paramiko.AuthenticationException):
        key = f"the key {endpoint.key_file}" if endpoint.key_file else "none of your SSH keys"
        verb = "was refused" if endpoint.key_file else "was accepted"
        return ManagerError(
            f"{endpoint}: {key} {verb} for the user {endpoint.user!r}",
            "the user comes from the instance's tag swarmctl:ssh-user, or from --host ssh://USER@…",
        )
    if "No authentication methods" in str(fault):
        return ManagerError(
            f"{endpoint}: you have no SSH key", "add one: ssh-add; or create one: ssh-keygen"
        )
    if isinstance(fault, TimeoutError):
        return ManagerError(
            f"{endpoint}: no answer",
            "is the machine up, and does its firewall let you in (on EC2: admin_cidr)?",
        )
    words = (fault.strerror if isinstance(fault, OSError) else None) or str(fault)
    refused = getattr(fault, "errno", None) == errno.ECONNREFUSED  # not by a jump host
    hint = "no SSH server listens there: are address and port right?" if refused else ""
    return ManagerError(f"{endpoint}: {words or type(fault).__name__}", hint)


_JUMPS = Jumps(open_ssh)


class _Connection(urllib3.connection.HTTPConnection):
    """An HTTP connection whose wire is a session of an SSH connection."""

    def __init__(self, adapter: EngineAdapter, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._adapter = adapter
        self._limit = timeout

    def connect(self) -> None:
        """Start the remote command; called by urllib3 before the first request."""
        try:
            self.sock = self._adapter.open_session(self._limit)
        except (paramiko.SSHException, EOFError) as fault:
            # urllib3 and requests know OSError, and turn it into an error of theirs.
            raise ConnectionError(str(fault)) from fault


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    scheme = "ssh"

    def __init__(self, adapter: EngineAdapter, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=MAX_SESSIONS, block=True)
        self._adapter = adapter
        self._limit = timeout

    def _new_conn(self) -> _Connection:
        return _Connection(self._adapter, self._limit)

    def _get_conn(self, timeout: float | None = None) -> Any:
        """A pooled connection that is still open.

        Not urllib3's own check: it calls ``fileno()``, for which paramiko opens a pipe a session.
        """
        pool = self.pool
        if pool is None:
            raise urllib3.exceptions.ClosedPoolError(self, "the connection was closed")
        try:
            # Never wait for ever for one of the sessions, even when streams hold them all.
            connection = pool.get(block=True, timeout=timeout or self._limit)
        except queue.Empty as fault:
            raise urllib3.exceptions.EmptyPoolError(self, "all SSH sessions are busy") from fault
        channel = getattr(connection, "sock", None)
        if channel is not None and (channel.closed or channel.eof_received):
            connection.close()
        return connection or self._new_conn()


class EngineAdapter(BaseHTTPAdapter):
    """Carries the requests of a docker SDK client over one SSH connection; thread-safe.

    Args:
        endpoint: the manager.
        connect_timeout: seconds for each step of logging in.
        request_timeout: seconds for opening a session on it.

    Raises:
        ManagerError: the login failed, see :func:`open_ssh`.
    """

    def __init__(
        self, endpoint: Endpoint, *, connect_timeout: float, request_timeout: float
    ) -> None:
        super().__init__()
        self._channel: paramiko.Channel | None = None
        self._ssh = open_ssh(endpoint, connect_timeout)
        self._pool = _Pool(self, request_timeout)

    def get_connection(self, url: str | bytes, proxies: Mapping[str, str] | None = None) -> _Pool:
        """The pool for every request, whatever its URL (called by requests)."""
        del url, proxies
        return self._pool

    def open_session(self, timeout: float) -> paramiko.Channel:
        """Start the remote command in a new session.

        Raises:
            paramiko.SSHException: the connection is gone, or the server refuses.
        """
        transport = self._ssh.get_transport()
        if transport is None:
            raise paramiko.SSHException("the SSH connection was closed")
        channel = transport.open_session(timeout=timeout)
        channel.settimeout(timeout)
        self._channel = channel
        channel.exec_command(COMMAND)
        return channel

    def explain(self) -> str:
        """What the remote command wrote to stderr before it ended, or ``""``."""
        channel = self._channel
        if channel is None or not (channel.closed or channel.eof_received):
            return ""  # still running: reading would wait
        said = b""
        while len(said) < 4096 and (part := channel.recv_stderr(4096)):
            said += part
        return said.decode(errors="replace").strip()

    def close(self) -> None:
        """End all sessions and the connection."""
        super().close()
        self._pool.close()
        self._ssh.close()
