"""Ways to ask something whether it is well, other than a published service over HTTP."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from threading import Event
from typing import Protocol
from urllib.parse import urlsplit

from swarmctl import http

# So much of what a command wrote is kept: its last line, cut.
_LINE = 160
_LOOK_S = 0.05
_REAP_S = 5.0


class SilentError(Exception):
    """No good answer; the text says why, in one short line."""


class Ask(Protocol):
    """One way to ask. Frozen data: an experiment file is turned into it."""

    @property
    def where(self) -> str:
        """What is asked, for people. Goes into journals, so it holds no secrets."""

    def ask(self, timeout_s: float, stop: Event) -> str:
        """Ask once.

        Args:
            timeout_s: seconds until it is given up.
            stop: set when the answer is not wanted any more.

        Returns:
            The answer, in one short line.

        Raises:
            SilentError: there was no good one in time.
        """


@dataclass(frozen=True, slots=True)
class Tcp:
    """A connection that is accepted.

    Args:
        host: name or address.
        port: TCP port.
    """

    host: str
    port: int

    @property
    def where(self) -> str:
        """See :class:`Ask`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def ask(self, timeout_s: float, stop: Event) -> str:
        """See :class:`Ask`."""
        del stop
        try:
            http.connect(self.host, self.port, time.monotonic() + timeout_s).close()
        except TimeoutError as fault:
            raise SilentError(_late(timeout_s)) from fault
        except OSError as fault:
            raise SilentError(_reason(fault)) from fault
        return "connected"


@dataclass(frozen=True, slots=True)
class Http:
    """A request to a fixed address, such as a load balancer's.

    Args:
        url: ``http://`` or ``https://``; certificates are verified.
        status: what is a good answer; empty for any below 500.
    """

    url: str
    status: tuple[int, ...] = ()

    @property
    def where(self) -> str:
        """See :class:`Ask`; without what may be a password or a token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def ask(self, timeout_s: float, stop: Event) -> str:
        """See :class:`Ask`."""
        del stop
        answer = http.get(self.url, timeout_s)
        status = answer.status or 0
        good = status in self.status if self.status else status < 500
        if answer.failure or not good:
            raise SilentError(_short(answer.detail))
        return answer.detail


@dataclass(frozen=True, slots=True)
class Dns:
    """A name that is resolved.

    Args:
        name: the domain name.
        server: address of the name server; ``""`` for the system's.
        port: of the name server.
        kind: type of the record.
        answer: one that must be among the answers; ``""`` for any.
    """

    name: str
    server: str = ""
    port: int = 53
    kind: str = "A"
    answer: str = ""

    @property
    def where(self) -> str:
        """See :class:`Ask`."""
        return f"dns://{self.server or 'system'}/{self.name} {self.kind}"

    def ask(self, timeout_s: float, stop: Event) -> str:
        """See :class:`Ask`."""
        del stop
        import dns.exception
        import dns.resolver

        try:
            resolver = dns.resolver.Resolver(configure=not self.server)
            if self.server:
                resolver.nameservers, resolver.port = [self.server], self.port
            found = resolver.resolve(self.name, self.kind, lifetime=timeout_s, search=False)
        except dns.resolver.NXDOMAIN as fault:
            raise SilentError("no such name") from fault
        except dns.resolver.NoAnswer as fault:
            raise SilentError(f"no {self.kind} record") from fault
        except dns.exception.Timeout as fault:
            raise SilentError(_late(timeout_s)) from fault
        except (dns.exception.DNSException, OSError, ValueError) as fault:
            raise SilentError(_short(str(fault))) from fault
        answers = sorted(record.to_text() for record in found)
        if self.answer and self.answer not in answers:
            raise SilentError(f"other answers: {_short(', '.join(answers))}")
        return _short(", ".join(answers))


@dataclass(frozen=True, slots=True)
class Command:
    """A program that ends with 0.

    It runs in a process group of its own, which is killed when its time is up: a Ctrl-C at the
    terminal is for swarmctl, and what the program has started must not outlive it.

    Args:
        argv: the program and its arguments; no shell.
    """

    argv: tuple[str, ...]

    @property
    def where(self) -> str:
        """See :class:`Ask`; arguments may hold secrets."""
        return f"command {self.argv[0]}"

    def ask(self, timeout_s: float, stop: Event) -> str:
        """See :class:`Ask`."""
        until = time.monotonic() + timeout_s
        try:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as fault:
            raise SilentError(_short(f"cannot be run: {_reason(fault)}")) from fault
        assert process.stderr is not None
        with process.stderr as stream:
            try:
                tail, ended = _follow(process.pid, stream.fileno(), until, stop)
            finally:
                # Not reaped yet, so the group's number can't be somebody else's by now.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                code = _reap(process)
        if not ended:
            raise SilentError("called off" if stop.is_set() else _late(timeout_s))
        if code == 0:
            return "exit 0"
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        how = f"exit {code}" if code > 0 else f"signal {-code}"
        raise SilentError(_short(how + said))


def _follow(pid: int, stream: int, until: float, stop: Event) -> tuple[bytes, bool]:
    """Read until the process ends: the last words, and whether it did in time.

    All is read, or the program would hang at a full pipe; only the end is kept.
    """
    tail, is_open = b"", True
    while True:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        while is_open and select.select([stream], [], [], 0 if ended else _LOOK_S)[0]:
            data = os.read(stream, 65536)
            is_open = bool(data)
            tail = (tail + data)[-1024:]
            if time.monotonic() > until:
                break
        if ended or stop.is_set() or time.monotonic() > until:
            return tail, ended
        if not is_open:  # ends any moment now, usually
            time.sleep(_LOOK_S / 10)


def _reap(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=_REAP_S)
    except subprocess.TimeoutExpired:  # stuck in the kernel; Popen looks after it later
        return -signal.SIGKILL


def _late(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"


def _reason(fault: Exception) -> str:
    return _short((getattr(fault, "strerror", None) or str(fault)).lower())


def _short(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
