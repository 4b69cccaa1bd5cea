"""Follows the endpoints that serve while the listeners are asked, and compares at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from swarmctl.chaos.journal.listeners import ListenerRecord
from swarmctl.chaos.probes.probe import Client, ProbeResult
from swarmctl.chaos.stale.history import Asked, Served
from swarmctl.chaos.stale.pollers import Listeners
from swarmctl.chaos.stale.stretches import record
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.forgotten.memory import Memory, complete
from swarmctl.swarm.model import Swarm

# The fault comes so much later if a listener does not answer.
_FIRST_ANSWER_S = 5.0


@dataclass
class Recorder:
    """One run.

    Args:
        listeners: who is asked; ``None`` for nobody.
    """

    listeners: Listeners | None = None
    _served: list[Served] = field(default_factory=list)
    _memory: Memory = field(default_factory=Memory)
    _names: set[str] = field(default_factory=set)

    def start(self) -> None:
        """Begin to ask the listeners."""
        if self.listeners is not None:
            self.listeners.start(lambda: set(self._names))

    def await_first(self) -> None:
        """Wait for the listeners' first answers, but not long."""
        if self.listeners is not None:
            self.listeners.await_first(_FIRST_ANSWER_S)

    def saw(self, at_s: float, swarm: Swarm, answering: Swarm) -> None:
        """Record which endpoints serve from a moment on.

        Args:
            at_s: run time.
            swarm: a snapshot.
            answering: the same without the tasks of machines that do not answer any more.
        """
        if self.listeners is None:
            return
        whole, self._memory = complete(swarm, self._memory)
        known = catalogue(whole).endpoints
        alive = {task.id for task in answering.tasks}
        new = Served(at_s, tuple(e for e in known if not e.task or e.task in alive), known)
        self._names |= {endpoint.name for endpoint in known}
        last = self._served[-1] if self._served else None
        if last is None or (last.answering, last.known) != (new.answering, new.known):
            self._served.append(new)

    def finish(self, results: Sequence[ProbeResult], end_s: float) -> tuple[ListenerRecord, ...]:
        """Stop asking, and compare.

        Args:
            results: of all probes, oldest first.
            end_s: the run's end.
        """
        if self.listeners is None:
            return ()
        histories = self.listeners.close()
        probes = [asked for result in results for asked in _asked(result)]
        users = [
            Asked(result.at_s, "", 0, result.ok)
            for result in results
            if result.endpoint.client is Client.LOAD_BALANCER
        ]
        return tuple(
            record(history, self._served, probes, end_s, users if history.balances else None)
            for history in histories
        )


def _asked(result: ProbeResult) -> Sequence[Asked]:
    """A probe of a node's port; none for one of the load balancer or of a fixed address."""
    place = result.endpoint
    if not place.node:
        return ()
    port = urlsplit(place.address).port or 0
    return (Asked(result.at_s, place.node, port, result.ok),)
