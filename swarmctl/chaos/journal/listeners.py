"""What a journal keeps of the listeners: who named a dead endpoint, and how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StaleEndpoint:
    """An endpoint that was still named though it did not serve.

    Args:
        name: under which it was named.
        place: address and port.
        since_s: when it did not serve any more, run time.
        until_s: the first answer without it, or the end of the run.
        noticed_s: when the managers knew; ``None``: not before ``until_s``.
        sent: probes that were sent to it meanwhile.
        lost: those of them without a good answer.
    """

    name: str
    place: str
    since_s: float
    until_s: float
    noticed_s: float | None = None
    sent: int = 0
    lost: int = 0

    @property
    def seconds(self) -> float:
        """How long."""
        return self.until_s - self.since_s


@dataclass(frozen=True, slots=True)
class ListenerRecord:
    """A listener that was asked again and again during a run.

    Args:
        name: of the listener.
        every_s: the longest time between two answers, ``silent`` aside: how precise the times are.
        asked: how often.
        stale: the endpoints that it named though they did not serve.
        sent: probes that went to them meanwhile; through a load balancer, those of users.
        lost: those of them without a good answer.
        named_s: for each endpoint that came to serve, seconds until it was named.
        silent: from when to when it could not be asked, and why.
    """

    name: str
    every_s: float
    asked: int
    stale: tuple[StaleEndpoint, ...] = ()
    sent: int = 0
    lost: int = 0
    named_s: tuple[float, ...] = ()
    silent: tuple[tuple[float, float, str], ...] = ()

    @property
    def answered(self) -> bool:
        """Whether it could be asked at all."""
        return self.asked > 0

    @property
    def stale_s(self) -> float:
        """Seconds of all endpoints together."""
        return sum(one.seconds for one in self.stale)
