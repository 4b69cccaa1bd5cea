"""Listeners are kept apart, and called again until they have published the newest edition."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from swarmctl.discovery.edition import Edition
from swarmctl.discovery.endpoint import Catalogue
from swarmctl.discovery.listeners.listener import Outlet
from swarmctl.errors import SwarmctlError
from swarmctl.wait import wait_for


@dataclass
class Fake:
    """Records what it publishes; ``act`` may fail or wait."""

    name: str = "fake"
    act: Callable[[Edition], None] = lambda _: None
    published: list[int] = field(default_factory=list)
    refresh_s: float | None = None

    def publish(self, edition: Edition) -> None:
        self.act(edition)
        self.published.append(edition.index)


def edition(index: int) -> Edition:
    return Edition(Catalogue(), (), index)


def has_published(outlet: Outlet, index: int) -> bool:
    return outlet.state.index == index


def until(what: str, condition: Callable[[], bool]) -> None:
    wait_for(what, lambda: (condition() or None, "not yet"), timeout=10, interval=0.005)


def test_a_listener_that_hangs_delays_no_other_and_skips_what_is_outdated() -> None:
    gate, entered = threading.Event(), threading.Event()

    def hang(_: Edition) -> None:
        entered.set()
        gate.wait(10)

    hanging = Fake("slow", hang)
    slow, quick = Outlet(hanging, print), Outlet(Fake("quick"), print)
    slow.offer(edition(1))
    assert entered.wait(10)
    for index in (1, 2, 3):
        for outlet in (slow, quick):
            outlet.offer(edition(index))
        until("the quick one", partial(has_published, quick, index))
    gate.set()
    until("the slow one", lambda: slow.state.index == 3)
    assert hanging.published == [1, 3]
    for outlet in (slow, quick):
        outlet.close()


def test_a_failing_listener_is_called_again_with_growing_pauses_and_noted_once() -> None:
    faults = [SwarmctlError("throttled"), SwarmctlError("throttled"), ValueError("a bug")]
    pauses: list[float] = []
    notes: list[str] = []

    def fail(_: Edition) -> None:
        if faults:
            raise faults.pop(0)

    outlet = Outlet(Fake("aws", fail), notes.append, pauses.append)
    outlet.offer(edition(1))
    until("it to work", lambda: outlet.state.index == 1)
    outlet.close()
    assert pauses == [0.5, 1, 2]
    assert notes == ["aws: throttled; trying again", "aws: works again"]
    assert outlet.state.failures == 0


def test_the_pause_is_bounded_and_an_outlet_that_pauses_ends_at_once() -> None:
    pauses: list[float] = []

    def fail(_: Edition) -> None:
        raise SwarmctlError("down")

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            outlet.close()

    outlet = Outlet(Fake("aws", fail), lambda _: None, pause)
    outlet.offer(edition(1))
    until("twenty failures", lambda: len(pauses) == 20)
    assert pauses[-1] == 60
    waiting = Outlet(Fake("aws", fail), lambda _: None)
    waiting.offer(edition(1))
    until("a failure", lambda: waiting.state.failures > 0)
    waiting.close()
    assert not waiting.running
