"""A probe that runs a program."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from threading import Event

from swarmctl.chaos.probes.probe import (
    ProbeAnswer,
    ProbeCancelledError,
    ProbeFailedError,
    timed_out,
)
from swarmctl.http import reason

_POLL_S = 0.05
# A killed process is waited for this long.
_REAP_S = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """A program that exits with 0.

    It runs in its own process group: a Ctrl-C at the terminal does not reach it. When the program
    ends or its time is up, the group is killed with every child it started.

    Args:
        argv: the program and its arguments; no shell.
    """

    argv: tuple[str, ...]

    @property
    def address(self) -> str:
        """See :class:`Probe`; arguments may hold secrets."""
        return f"command {self.argv[0]}"

    def run(self, timeout_s: float, stop: Event) -> ProbeAnswer:
        """See :class:`Probe`."""
        until = time.monotonic() + timeout_s
        try:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ProbeFailedError(f"cannot be run: {reason(error)}") from error
        assert process.stderr is not None
        with process.stderr as stream:
            try:
                tail, ended = _follow(process.pid, stream.fileno(), until, stop)
            finally:
                # Not reaped yet, so the process group id cannot have been reused. Nothing may be
                # left of the group, or only what runs as another user.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                code = _reap(process)
        if not ended and stop.is_set():
            raise ProbeCancelledError("cancelled")
        if not ended:
            raise ProbeFailedError(timed_out(timeout_s))
        if code == 0:
            return ProbeAnswer("exit 0")
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        stderr = f": {lines[-1]}" if lines else ""
        status = f"exit {code}" if code > 0 else f"signal {-code}"
        raise ProbeFailedError(status + stderr)


def _follow(pid: int, stream: int, until: float, stop: Event) -> tuple[bytes, bool]:
    """Read stderr until the process ends: its last bytes, and whether it ended in time.

    Everything is read, or the program would block on a full pipe.
    """
    tail, is_open = b"", True
    while True:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        while is_open and select.select([stream], [], [], 0 if ended else _POLL_S)[0]:
            data = os.read(stream, 65536)
            is_open = bool(data)
            tail = (tail + data)[-1024:]
            if time.monotonic() > until:
                break
        if ended or stop.is_set() or time.monotonic() > until:
            return tail, ended
        if not is_open:  # it usually ends right after closing stderr
            time.sleep(_POLL_S / 10)


def _reap(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(timeout=_REAP_S)
    except subprocess.TimeoutExpired:  # stuck in the kernel; Popen reaps it later
        return -signal.SIGKILL
