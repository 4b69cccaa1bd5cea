"""Both ways to see how the Swarm is doing: the managers' word, and the services' own answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.journal.journal import ProbeSummary
from swarmctl.chaos.probes import summary
from swarmctl.chaos.probes.probe import Endpoint, Prober, ProbeResult
from swarmctl.chaos.probes.published import ServiceEndpoints
from swarmctl.chaos.run import verdict
from swarmctl.chaos.run.observer import INTERVAL_S, Observer
from swarmctl.chaos.run.record import Record
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm

# How long the steady state is watched before the fault.
STEADY_S = 2.0
# So long every probed place may take to answer once before the fault.
PROBE_PATIENCE_S = 6.0


@dataclass
class Watch:
    """Looks at the Swarm, and keeps the probes aimed at where the services are.

    Args:
        observer: asks the managers.
        prober: asks the services.
        places: where they can be asked.
        record: the run's.
        patience_s: so long every probed place may take to answer once before the fault, seconds.
    """

    observer: Observer
    prober: Prober
    places: ServiceEndpoints
    record: Record
    patience_s: float = PROBE_PATIENCE_S
    aims: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)

    def look(self) -> Swarm | None:
        """A snapshot, with the probes aimed at it; ``None`` when no manager answered."""
        swarm = self.observer.look()
        if swarm is not None:
            self.aim(swarm)
        return swarm

    def seen(self) -> Swarm:
        """The newest snapshot there is.

        Raises:
            SwarmctlError: there is none.
        """
        if self.observer.last is None:
            raise SwarmctlError(f"no manager answers: {self.observer.last_error}")
        return self.observer.last

    def aim(self, swarm: Swarm) -> None:
        """Ask the services where they are in this snapshot."""
        self.aims = self.places.current(swarm)
        self.prober.aim(self.aims)

    def await_answers(self, named: bool) -> tuple[str, ...]:
        """Watch the steady state until every probed place has answered.

        Args:
            named: whether the user named what is probed.

        Returns:
            The places that do not answer, each with its error.
        """
        clock = self.record.clock
        begin = clock.now()
        self.aim(self.seen())
        while True:
            self.record.interrupts.check()
            self.look()
            silent = self.silent(since=begin)
            if clock.now() - begin >= (self.patience_s if silent else STEADY_S):
                return silent if named else self._without_other_protocols(silent)
            self.record.status(f"a steady state: {self.strength()}")
            clock.pause(INTERVAL_S)

    def _without_other_protocols(self, silent: tuple[str, ...]) -> tuple[str, ...]:
        """Not every published port speaks HTTP; nobody named these, so they are left alone."""
        if not silent:
            return silent
        other = summary.without_http(self.prober.results())
        if not other or other == set(self.aims):
            return silent
        text = ", ".join(sorted(other))
        self.record.note(f"not probed, no HTTP behind the published port: {text}")
        self.places.services = [s for s in self.places.services if s.name not in other]
        self.aim(self.seen())
        return self.silent(since=0.0)

    def silent(self, since: float) -> tuple[str, ...]:
        """The probed places without a good answer since a moment (run time)."""
        results = [p for p in self.prober.results() if p.at_s >= since]
        return summary.unanswered(results, self.aims)

    def strength(self) -> str:
        """How it stands, in one line."""
        if self.observer.is_blind:
            return f"no manager answers: {' '.join(self.observer.last_error.split())}"
        swarm = self.seen()
        states = [f"{n.hostname} {n.state}" for n in swarm.nodes if not n.live]
        places = verdict.placement(swarm)
        services = [
            f"{service.name} {sum(places[service.name].values())}/{swarm.wanted(service)}"
            for service in verdict.judged(swarm)
        ]
        return " · ".join([*states, *services])

    def probe_count(self) -> str:
        """How the probes stand, to be put behind :meth:`strength`."""
        results = self.prober.results()
        lost = sum(not probe.ok for probe in results)
        return f" · {lost} of {len(results)} probes lost" if results else ""

    def summaries(self, since: float = 0.0) -> tuple[ProbeSummary, ...]:
        """The probes since a moment (run time), counted."""
        return summary.summaries(_since(self.prober.results(), since))


def _since(results: Sequence[ProbeResult], since: float) -> list[ProbeResult]:
    return [probe for probe in results if probe.at_s >= since]
