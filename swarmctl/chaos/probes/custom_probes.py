"""The probes an experiment file lists: published services, and anything else that can be asked.

A published service moves about, so its places follow the Swarm (``Places``). Everything else is a
fixed place with a rate of its own, asked from here.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from swarmctl.chaos.probes import http as probes
from swarmctl.chaos.probes.asks import Ask, SilentError
from swarmctl.chaos.world.protocols import Endpoint, Probe, Prober, ServiceProbe
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Service, Swarm

# Stands for every published service of a stack.
ALL = "*"
EVERY_S = 1.0
TIMEOUT_S = 2.0
# So many questions to one place may be under way at once, when nothing answers.
MAX_UNDER_WAY = 20


@dataclass(frozen=True, slots=True)
class CustomProbe:
    """Something at a fixed place.

    Args:
        name: what it is called in journals and tolerances.
        how: how it is asked.
        every_s: seconds from one question to the next.
        timeout_s: seconds until one is given up.
    """

    name: str
    how: Ask
    every_s: float = EVERY_S
    timeout_s: float = TIMEOUT_S

    @property
    def endpoint(self) -> Endpoint:
        """Where it goes, as other probes have it."""
        return Endpoint(service=self.name, node="", host="", port=0, what=self.how.where)


AnyProbe = ServiceProbe | CustomProbe


def services(swarm: Swarm, named: str | None, listed: Sequence[AnyProbe]) -> tuple[Service, ...]:
    """The published services to probe.

    Args:
        swarm: where they run.
        named: see :func:`swarmctl.chaos.probes.http.published`; counts when none is listed.
        listed: the plan's probes.

    Raises:
        UsageError: see :func:`swarmctl.chaos.probes.http.published`; or a probe of something
            else has the name of one of these services.
    """
    wanted = dict.fromkeys(probe.service for probe in listed if isinstance(probe, ServiceProbe))
    found: dict[str, Service] = {}
    for name in wanted or (named,):
        chosen = probes.published(swarm, None if name == ALL else name)
        found |= {service.name: service for service in chosen}
    for probe in listed:
        if isinstance(probe, CustomProbe) and probe.name in found:
            raise UsageError(
                f"the probe {probe.name} has the name of a service that is probed too",
                "give it another name",
            )
    return tuple(found.values())


def names_services(listed: Sequence[AnyProbe]) -> bool:
    """Whether a service is asked for by its name, so that it must speak HTTP."""
    return any(isinstance(probe, ServiceProbe) and probe.service != ALL for probe in listed)


def expectations(listed: Sequence[AnyProbe]) -> dict[str, ServiceProbe]:
    """What is said about each named service."""
    return {probe.service: probe for probe in listed if isinstance(probe, ServiceProbe)}


def fixed(listed: Sequence[AnyProbe]) -> dict[str, tuple[Endpoint, ...]]:
    """The places that stay where they are, by name."""
    return {p.name: (p.endpoint,) for p in listed if isinstance(p, CustomProbe)}


def patience_s(listed: Sequence[AnyProbe], least: float) -> float:
    """Seconds after which each probe has had the chance to fail once and to answer then.

    Args:
        listed: the plan's probes.
        least: what the published services get.
    """
    slow = [p.every_s + p.timeout_s for p in listed if isinstance(p, CustomProbe)]
    return max([least, *slow])


@dataclass
class Probers:
    """Sends the listed probes from threads of its own, and leaves the rest to another prober.

    Args:
        others: for the published services.
        listed: the plan's probes.
        now: seconds since the run began.
    """

    others: Prober
    listed: Sequence[AnyProbe]
    now: Callable[[], float]
    _done: list[Probe] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        """See :class:`Prober`; the first call starts all."""
        own = fixed(self.listed)
        self.others.aim({name: e for name, e in endpoints.items() if name not in own})
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._beat, args=(probe,), daemon=True)
                for probe in self.listed
                if isinstance(probe, CustomProbe)
            ]
            for thread in self._threads:
                thread.start()

    def results(self) -> Sequence[Probe]:
        """All finished probes so far, by the time they were sent."""
        return sorted([*self.others.results(), *self._done], key=lambda probe: probe.at_s)

    def close(self) -> None:
        """Stop; questions under way end within their time-out, commands at once."""
        self._stop.set()
        self.others.close()
        for thread in self._threads:
            thread.join()

    def _beat(self, probe: CustomProbe) -> None:
        start = self.now()
        workers = min(MAX_UNDER_WAY, math.ceil(probe.timeout_s / probe.every_s)) + 1
        with ThreadPoolExecutor(workers, thread_name_prefix=f"probe-{probe.name}") as pool:
            # The beat is counted from the start, so a late one does not delay all others.
            for beat in itertools.count():
                if self._stop.wait(max(0.0, start + beat * probe.every_s - self.now())):
                    return
                pool.submit(self._ask, probe)

    def _ask(self, probe: CustomProbe) -> None:
        if self._stop.is_set():
            return
        at = self.now()
        try:
            detail, ok = probe.how.ask(probe.timeout_s, self._stop), True
        except SilentError as fault:
            detail, ok = str(fault), False
        if not ok and self._stop.is_set():
            return  # called off by us: that says nothing about what was asked
        self._done.append(Probe(at, probe.endpoint, ok, self.now() - at, detail, "own"))
