"""A probe that opens a TCP connection."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event

from swarmctl import http
from swarmctl.chaos.probes.probe import ProbeAnswer, ProbeFailedError, timed_out


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
    def address(self) -> str:
        """See :class:`Probe`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def run(self, timeout_s: float, stop: Event) -> ProbeAnswer:
        """See :class:`Probe`."""
        del stop
        try:
            http.connect(self.host, self.port, time.monotonic() + timeout_s).close()
        except TimeoutError as error:
            raise ProbeFailedError(timed_out(timeout_s)) from error
        except (OSError, ValueError) as error:  # ValueError: not a valid host name
            raise ProbeFailedError(http.reason(error)) from error
        return ProbeAnswer("connected")
