"""Connections to nodes that are reached through another machine, as ssh's ProxyJump makes them.

A process keeps one login on each jump host and opens a channel on it for each connection: sshd
drops logins at random when more than ten are under way (``MaxStartups``).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import paramiko

E = TypeVar("E")  # an Endpoint; this file does not know what is in it

# Seconds in which a jump host that is alive opens a session.
_ALIVE_S = 2.0


class Jumps(Generic[E]):
    """Keeps a login on each jump host. Thread-safe.

    Args:
        log_in: to a jump host, within some seconds.
    """

    def __init__(self, log_in: Callable[[E, float], paramiko.SSHClient]) -> None:
        self._log_in = log_in
        self._open: dict[E, paramiko.SSHClient] = {}
        self._opening: defaultdict[E, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def through(
        self, jumps: Sequence[E], address: str, port: int, timeout: float
    ) -> paramiko.Channel:
        """A connection to an address, through the first jump host that can be used.

        Args:
            jumps: tried in order.
            address: as the jump host reaches it.
            port: there.
            timeout: seconds, for each step.

        Raises:
            OSError: a jump host answers, the address does not.
            Exception: what the login on the last jump host failed with.
        """
        for number, jump in enumerate(jumps, 1):
            try:
                return self._channel(jump, address, port, timeout)
            except (ConnectionRefusedError, TimeoutError):
                raise
            except Exception:
                if number == len(jumps):
                    raise
        raise ValueError("no jump host")

    def _channel(self, jump: E, address: str, port: int, timeout: float) -> paramiko.Channel:
        client = self._client(jump, timeout)
        transport = client.get_transport()
        try:
            if transport is None:
                raise paramiko.SSHException("the connection to the jump host was closed")
            return transport.open_channel("direct-tcpip", (address, port), ("", 0), timeout=timeout)
        except paramiko.ChannelException as fault:
            raise ConnectionRefusedError(f"the jump host cannot reach it: {fault.text}") from fault
        except (paramiko.SSHException, EOFError) as fault:
            if transport and _alive(transport):
                raise TimeoutError("it does not answer the jump host") from fault
            self._drop(jump, client)
            raise

    def _client(self, jump: E, timeout: float) -> paramiko.SSHClient:
        with self._lock:
            opening = self._opening[jump]
        with opening:
            client = self._open.get(jump)
            transport = client.get_transport() if client else None
            if client is None or transport is None or not transport.is_active():
                client = self._open[jump] = self._log_in(jump, timeout)
            return client

    def _drop(self, jump: E, failed: paramiko.SSHClient) -> None:
        with self._lock:
            if self._open.get(jump) is failed:
                del self._open[jump]
        failed.close()


def _alive(transport: paramiko.Transport) -> bool:
    if not transport.is_active():
        return False
    try:
        transport.open_session(timeout=_ALIVE_S).close()
    except (paramiko.SSHException, EOFError):
        return False
    return True
