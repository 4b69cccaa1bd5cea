"""What a listener said during a run, and which endpoints served: plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from swarmctl.discovery.check.source import Places, Published, plain_name
from swarmctl.discovery.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Heard:
    """Equal answers in a row.

    Args:
        first_s: when the first of them came, run time.
        last_s: when the last of them came.
        places: that were named.
        fault: why it could not be asked; then nothing is known of the places.
    """

    first_s: float
    last_s: float
    places: Places = field(default_factory=dict)
    fault: str = ""


@dataclass
class History:
    """One listener.

    Args:
        name: of it.
        names: under which of its names it should have an endpoint.
        balances: whether it is a load balancer's: requests go through it.
        heard: its answers.
        asked: how many times it answered.
        gap_s: the longest time between two answers.
    """

    name: str
    names: Callable[[Endpoint], tuple[str, ...]] = plain_name
    balances: bool = False
    heard: list[Heard] = field(default_factory=list)
    asked: int = 0
    gap_s: float = 0.0

    def add(self, at_s: float, said: Published) -> None:
        """Record an answer, or that there was none."""
        self.names = said.names
        last = self.heard[-1] if self.heard else None
        new = Heard(at_s, at_s, said.places, "" if said.places else said.fault)
        if not new.fault:
            self.asked += 1
            if last is not None and not last.fault:
                self.gap_s = max(self.gap_s, at_s - last.last_s)
        if last is not None and (last.places, last.fault) == (new.places, new.fault):
            self.heard[-1] = replace(last, last_s=at_s)
        else:
            self.heard.append(new)


@dataclass(frozen=True, slots=True)
class Served:
    """The endpoints from a moment on.

    Args:
        at_s: run time.
        answering: those that serve, without those on machines that do not answer any more.
        known: those that the managers count.
    """

    at_s: float
    answering: tuple[Endpoint, ...]
    known: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A probe that was sent to a node's port.

    Args:
        at_s: run time.
        node: its hostname.
        port: the published one.
        ok: whether a good answer came.
    """

    at_s: float
    node: str
    port: int
    ok: bool
