"""Both views of the Swarm: the managers' records, and the services' own answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from swarmctl.chaos.journal.journal import ProbeSummary
from swarmctl.chaos.probes import summary
from swarmctl.chaos.probes.probe import Client, Endpoint, Prober, ProbeResult
from swarmctl.chaos.probes.published import ServiceEndpoints
from swarmctl.chaos.probes.summary import Stretch, Unanswered
from swarmctl.chaos.run.judging import judgement
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.observer import INTERVAL_S, Observer
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm

# How long the steady state is watched before the fault.
STEADY_S = 2.0
# How long a probed place may take to answer once before the fault.
PROBE_PATIENCE_S = 6.0


@dataclass
class Watch:
    """Takes snapshots, and keeps the probes aimed at where the services run.

    Args:
        patience_s: how long a probed place may take to answer once before the fault, seconds.
        probed: what is probed now, by service.
        every_node: what a client goes on using that uses every node, by name; while nodes are lost.
    """

    observer: Observer
    prober: Prober
    places: ServiceEndpoints
    log: RunLog
    patience_s: float = PROBE_PATIENCE_S
    probed: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    every_node: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    _before: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)  # the fault

    def snapshot(self) -> Swarm:
        """A snapshot, with the probes aimed at it.

        Raises:
            SwarmctlError: no manager answered.
        """
        swarm = self.observer.snapshot()
        self._aim_at(swarm)
        return swarm

    def try_snapshot(self) -> Swarm | None:
        """The same; ``None`` when no manager answered."""
        try:
            return self.snapshot()
        except SwarmctlError:
            return None

    def newest(self) -> Swarm:
        """The newest snapshot there is.

        Raises:
            SwarmctlError: there is none.
        """
        if self.observer.newest is None:
            raise SwarmctlError(f"no manager answers: {self.observer.last_error}")
        return self.observer.newest

    def _aim_at(self, swarm: Swarm) -> None:
        self.probed = self.places.current(swarm)
        # A service that no remaining node serves is still asked for, where it was.
        aims = {name: found or self._before.get(name, ()) for name, found in self.probed.items()}
        self.prober.aim({**aims, **self.every_node})

    def lose(self, nodes: Collection[str]) -> None:
        """Probe the nodes that are left; beside that, go on as clients do that use every node.

        Args:
            nodes: ids of the nodes that the fault is about to take; none leaves all as it is.
        """
        if not nodes:
            return
        self._before = self.probed
        self.every_node = {
            f"{name} (every node)": tuple(
                replace(place, client=Client.EVERY_NODE) for place in places
            )
            for name, places in self.probed.items()
            if name not in self.places.fixed
        }
        self.places.excluded = nodes
        self._aim_at(self.newest())

    def only_on(self, nodes: Collection[str]) -> tuple[str, ...]:
        """The probed services that only these nodes (hostnames) serve."""
        return tuple(
            name
            for name, places in self.probed.items()
            if places and all(place.node in nodes for place in places)
        )

    def end_loss(self) -> None:
        """The nodes come back: what clients of every node lose is counted until now."""
        self.every_node = {}
        if self.observer.newest is not None:
            self._aim_at(self.observer.newest)

    def await_answers(self, named: bool) -> tuple[Unanswered, ...]:
        """Watch the steady state until every probed place has answered.

        Args:
            named: whether the user named what is probed.

        Returns:
            The places that do not answer, each with its error.
        """
        clock = self.log.clock
        begin = clock.now()
        self._aim_at(self.newest())
        while True:
            self.log.interrupts.check()
            self.try_snapshot()
            silent = self.silent(since=begin)
            if clock.now() - begin >= (self.patience_s if silent else STEADY_S):
                return silent if named else self._without_other_protocols(silent)
            self.log.progress.status(f"a steady state: {self.strength()}")
            clock.pause(INTERVAL_S)

    def _without_other_protocols(self, silent: tuple[Unanswered, ...]) -> tuple[Unanswered, ...]:
        """Leave out ports that accept connections but speak no HTTP; the user did not name them."""
        if not silent:
            return silent
        other = summary.without_http(self.prober.results())
        if not other or other == set(self.probed):
            return silent
        text = ", ".join(sorted(other))
        self.log.note(f"not probed, no HTTP behind the published port: {text}")
        self.places.services = [s for s in self.places.services if s.name not in other]
        self.prober.forget(other)
        self._aim_at(self.newest())
        return self.silent(since=0.0)

    def silent(self, since: float) -> tuple[Unanswered, ...]:
        """The probed places without a good answer since a moment (run time)."""
        return summary.unanswered(self._results(since), self.probed)

    def strength(self) -> str:
        """The replicas of every service, in one line."""
        if self.observer.is_blind:
            return f"no manager answers: {' '.join(self.observer.last_error.split())}"
        swarm = self.observer.answering() or self.newest()
        states = [f"{n.hostname} {n.state}" for n in swarm.nodes if not n.live]
        services = [
            f"{service.name} {swarm.running(service)}/{swarm.wanted(service)}"
            for service in judgement.judged(swarm)
        ]
        return " · ".join([*states, *services])

    def await_probes(self) -> None:
        """Wait until every probe sent so far has ended; the time-out of each bounds that."""
        clock = self.log.clock
        sent_s = clock.now()
        while self.prober.unfinished(sent_s) and clock.now() < sent_s + self.patience_s:
            self.log.interrupts.check()
            self.log.progress.status("waiting for the answers to the last probes")
            clock.pause(INTERVAL_S)

    def probe_count(self) -> str:
        """How many probes were lost, to follow :meth:`strength`."""
        results = self._results(since=0.0)
        lost = sum(not probe.ok for probe in results)
        return f" · {lost} of {len(results)} probes lost" if results else ""

    def summaries(
        self, since: float = 0.0, without: Sequence[Stretch] = ()
    ) -> tuple[ProbeSummary, ...]:
        """The probes since a moment (run time), counted, except those sent in some stretches."""
        return summary.summaries(summary.sent_outside(without, self._results(since)))

    def every_node_summaries(self, without: Sequence[Stretch] = ()) -> tuple[ProbeSummary, ...]:
        """The probes that use every node, counted the same way."""
        found = summary.of_client(self.prober.results(), Client.EVERY_NODE)
        return summary.summaries(summary.sent_outside(without, found))

    def _results(self, since: float) -> list[ProbeResult]:
        judged = Client.NODES_LEFT, Client.LOAD_BALANCER
        found = summary.of_client(self.prober.results(), *judged)
        return [probe for probe in found if probe.at_s >= since]
