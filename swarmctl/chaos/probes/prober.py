"""Sends the probes from background threads: one schedule for each service or fixed address."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmctl.chaos.probes.planned import FixedProbe, PlannedProbe
from swarmctl.chaos.probes.probe import (
    Endpoint,
    ProbeCancelledError,
    ProbeFailedError,
    ProbeResult,
)

# Published services are probed this often, in turn at every endpoint.
SERVICE_EVERY_S = 0.1
SERVICE_TIMEOUT_S = 2.0


class BackgroundProber:
    """Sends probes until it is closed. See :class:`swarmctl.chaos.probes.probe.Prober`.

    Args:
        planned: the plan's probes: the fixed ones have their own rate and time-out.
        now: seconds since the run began.
    """

    def __init__(self, planned: Sequence[PlannedProbe], now: Callable[[], float]) -> None:
        """Nothing is sent yet."""
        self._fixed = {probe.name: probe for probe in planned if isinstance(probe, FixedProbe)}
        self._now = now
        self._endpoints: Mapping[str, Sequence[Endpoint]] = {}
        self._done: list[ProbeResult] = []
        self._under_way: dict[tuple[str, int], float] = {}
        self._forgotten: set[str] = set()
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        """Probe these from now on; a name that is new starts a thread."""
        self._endpoints = endpoints
        for name in endpoints:
            if name not in self._threads:
                thread = threading.Thread(target=self._send_all, args=(name,), daemon=True)
                self._threads[name] = thread
                thread.start()

    def results(self) -> Sequence[ProbeResult]:
        """All finished probes so far, in the order in which they were sent."""
        counted = (r for r in self._done if r.endpoint.service not in self._forgotten)
        return sorted(counted, key=lambda result: result.at_s)

    def forget(self, names: Collection[str]) -> None:
        """See :class:`swarmctl.chaos.probes.probe.Prober`."""
        self._forgotten |= set(names)

    def unfinished(self, before_s: float) -> int:
        """How many probes sent before a moment have not ended yet."""
        return sum(at < before_s for at in self._under_way.copy().values())

    def close(self) -> None:
        """Stop. Probes under way end within their time-out, commands at once."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()

    def _send_all(self, name: str) -> None:
        start, fixed = self._now(), self._fixed.get(name)
        every_s = fixed.every_s if fixed else SERVICE_EVERY_S
        timeout_s = fixed.timeout_s if fixed else SERVICE_TIMEOUT_S
        workers = math.ceil(timeout_s / every_s) + 1
        with ThreadPoolExecutor(workers, thread_name_prefix=f"probe-{name}") as pool:
            # Times are counted from the start, so a late probe does not delay those after it.
            for number in itertools.count():
                if self._stop.wait(max(0.0, start + number * every_s - self._now())):
                    return
                endpoints = self._endpoints.get(name, ())
                if endpoints:
                    self._under_way[name, number] = self._now()
                    endpoint = endpoints[number % len(endpoints)]
                    pool.submit(self._send, (name, number), endpoint, timeout_s)

    def _send(self, key: tuple[str, int], endpoint: Endpoint, timeout_s: float) -> None:
        try:
            if not self._stop.is_set():
                self._done.append(send(endpoint, timeout_s, self._now, self._stop))
        except ProbeCancelledError:
            pass  # the answer is not wanted any more
        finally:
            del self._under_way[key]


def send(
    endpoint: Endpoint, timeout_s: float, now: Callable[[], float], stop: threading.Event
) -> ProbeResult:
    """Send one probe.

    Raises:
        ProbeCancelledError: ``stop`` was set before there was an answer.
    """
    at = now()
    try:
        answer = endpoint.probe.run(timeout_s, stop)
    except ProbeCancelledError:
        raise
    except ProbeFailedError as error:
        took = now() - at
        return ProbeResult(at, endpoint, False, took, str(error), error.not_http, error.bad_status)
    seconds = now() - at if answer.seconds is None else answer.seconds
    return ProbeResult(at, endpoint, True, seconds, answer.text)
