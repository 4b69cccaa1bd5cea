"""The listeners are asked in threads of their own, as often as each allows."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from swarmctl.chaos.stale.pollers import Pollers
from swarmctl.discovery.check.source import Published
from swarmctl.errors import SwarmctlError
from tests.unit.chaos.stale.test_stretches import ONE


@dataclass
class FakeSource:
    """Says the same each time; tells when it was asked often enough."""

    name: str
    fails: bool = False
    every_s: float = 0.0
    enough: threading.Event = field(default_factory=threading.Event)
    asked_for: list[Collection[str]] = field(default_factory=list)

    def ask(self, names: Collection[str]) -> Published:
        self.asked_for.append(names)
        if len(self.asked_for) > 2:
            self.enough.set()
        if self.fails:
            raise SwarmctlError("throttled")
        return Published(self.name, {"web": frozenset({ONE.place})})


def test_each_is_asked_again_and_again_for_the_names_there_are() -> None:
    good, bad = FakeSource("DNS"), FakeSource("Cloud Map", fails=True)
    pollers = Pollers(lambda: (good, bad), lambda: 1.5)
    pollers.start(lambda: {"web"})
    assert good.enough.wait(10)
    assert bad.enough.wait(10)
    dns, cloud_map = pollers.close()
    assert dns.name == "DNS"
    assert dns.heard[0].places == {"web": frozenset({ONE.place})}
    assert dns.asked > 1
    assert len(dns.heard) == 1  # equal answers are kept once
    assert good.asked_for[0] == {"web"}
    assert (cloud_map.asked, cloud_map.heard[0].fault) == (0, "throttled")


def test_none_is_asked_after_the_end() -> None:
    source = FakeSource("DNS")
    pollers = Pollers(lambda: (source,), lambda: 1.5)
    pollers.start(set)
    assert source.enough.wait(10)
    pollers.close()
    assert not [t for t in threading.enumerate() if t.name == "DNS"]


def test_a_slow_source_does_not_hold_up_the_end() -> None:
    """Broken: a call to AWS that hangs keeps a run from ending."""
    under_way, release = threading.Event(), threading.Event()

    class Slow(FakeSource):
        def ask(self, names: Collection[str]) -> Published:
            under_way.set()
            release.wait(20)
            return super().ask(names)

    pollers = Pollers(lambda: (Slow("Cloud Map"),), lambda: 1.5, last_answer_s=0.05)
    pollers.start(set)
    assert under_way.wait(10)
    (history,) = pollers.close()
    assert history.heard == []
    release.set()


def test_a_run_can_wait_until_each_was_asked_once() -> None:
    """Broken: the fault comes before anybody knows what the listeners named."""
    good, bad = FakeSource("DNS"), FakeSource("Cloud Map", fails=True)
    pollers = Pollers(lambda: (good, bad), lambda: 1.5)
    pollers.start(set)
    pollers.await_first(10)
    assert good.asked_for
    assert bad.asked_for
    pollers.close()
