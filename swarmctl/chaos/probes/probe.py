"""What all kinds of probes have in common: the interface, where they go, and how they ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from threading import Event
from typing import Protocol

# A probe's answer or error is cut to this many characters.
_MAX_TEXT = 160


class ProbeFailedError(Exception):
    """No good answer; the text says why, in one short line.

    Args:
        text: why; made printable and cut.
        not_http: the connection was accepted, but no HTTP came back.
        bad_status: a whole answer came, with an HTTP status that is no good one.
    """

    def __init__(self, text: str, *, not_http: bool = False, bad_status: bool = False) -> None:
        super().__init__(one_line(text))
        self.not_http, self.bad_status = not_http, bad_status


class ProbeCancelledError(ProbeFailedError):
    """The prober was closed before there was an answer: no result."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """A good answer.

    Args:
        text: the answer, in one short line.
        seconds: until it came; ``None`` when it has just come.
    """

    text: str
    seconds: float | None = None


class Probe(Protocol):
    """One kind of probe. Implementations are frozen data."""

    @property
    def address(self) -> str:
        """What is probed, for journals and reports: without passwords, tokens and arguments."""

    def run(self, timeout_s: float, stop: Event) -> ProbeAnswer:
        """Send one probe.

        Args:
            timeout_s: seconds for the whole answer.
            stop: set when the answer is not wanted any more.

        Raises:
            ProbeFailedError: there was no good answer in time.
        """


class Client(Enum):
    """Whose requests the probes stand for."""

    NODES_LEFT = "nodes left"  # one that uses the nodes that are left
    EVERY_NODE = "every node"  # one that goes on using every node, lost ones included
    LOAD_BALANCER = "load balancer"  # a user, in front of the load balancer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that is probed.

    Args:
        service: the Swarm service, or the name of a probe with a fixed address.
        node: hostname of the node that is asked; ``""`` for a fixed address.
        probe: how it is probed.
        client: whose requests the probes stand for.
    """

    service: str
    node: str
    probe: Probe
    client: Client = Client.NODES_LEFT

    @property
    def address(self) -> str:
        """What is probed, for people."""
        return self.probe.address


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How one probe ended.

    Args:
        at_s: when it was sent, seconds since the run began.
        endpoint: what was probed.
        ok: a good answer came in time.
        latency_s: seconds until the answer or the failure.
        detail: the answer, or the error.
        not_http: the connection was accepted, but no HTTP came back.
        bad_status: a whole answer came, with an HTTP status that is no good one.
    """

    at_s: float
    endpoint: Endpoint
    ok: bool
    latency_s: float
    detail: str
    not_http: bool = False
    bad_status: bool = False


class Prober(Protocol):
    """Sends probes in the background."""

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        """Probe these from now on, by service; the first call starts the probing."""

    def results(self) -> Sequence[ProbeResult]:
        """All finished probes so far, in the order in which they were sent."""

    def forget(self, names: Collection[str]) -> None:
        """Leave the probes of these services out of the results, now and later."""

    def unfinished(self, before_s: float) -> int:
        """How many probes sent before a moment (run time) have not ended yet."""

    def close(self) -> None:
        """Stop, and wait for the probes under way."""


def timed_out(timeout_s: float) -> str:
    """The error of a probe without an answer in time."""
    return f"no answer within {timeout_s:g} s"


def one_line(text: str) -> str:
    """Text on one line, printable, cut if it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"
