"""An experiment on the simulated Swarm, with everything it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes.planned import PlannedProbe
from swarmctl.chaos.probes.probe import Endpoint, ProbeResult
from swarmctl.chaos.run.context import Request, World
from swarmctl.chaos.run.experiment import Experiment
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.stale.pollers import Listeners
from swarmctl.chaos.world.protocols import Consent
from swarmctl.swarm.model import Service
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import Clock, Lab, service, workers


@dataclass
class FakeProber:
    """Answers at once, at every place it is aimed at, unless ``silent`` says otherwise.

    A lost probe is known to be lost only after ``timeout_s``.
    """

    clock: Clock
    timeout_s: float = 0.0
    silent: Callable[[Endpoint], bool] = lambda endpoint: False
    not_http: Callable[[Endpoint], bool] = lambda endpoint: False
    bad_status: Callable[[Endpoint], bool] = lambda endpoint: False
    aims: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    done: list[ProbeResult] = field(default_factory=list)
    closed: bool = False
    forgotten: set[str] = field(default_factory=set)

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.aims = endpoints

    def results(self) -> Sequence[ProbeResult]:
        for places in self.aims.values():
            for place in places:
                ok = not self.silent(place)
                other, bad = self.not_http(place), self.bad_status(place)
                detail = "HTTP 200" if ok else "HTTP 503" if bad else "connection refused"
                result = ProbeResult(self.clock.now(), place, ok, 0.004, detail, other, bad)
                self.done.append(result)
        return tuple(
            result
            for result in self.done
            if self._ended(result) and result.endpoint.service not in self.forgotten
        )

    def forget(self, names: Collection[str]) -> None:
        self.forgotten |= set(names)

    def unfinished(self, before_s: float) -> int:
        return sum(r.at_s < before_s and not self._ended(r) for r in self.done)

    def _ended(self, result: ProbeResult) -> bool:
        return result.ok or result.at_s + self.timeout_s <= self.clock.now()

    def close(self) -> None:
        self.closed = True


@dataclass
class Quiet:
    """Keeps what was said."""

    lines: list[str] = field(default_factory=list)

    def step(self, title: str) -> None:
        self.lines.append(title)

    def note(self, text: str) -> None:
        self.lines.append(text)

    def status(self, text: str) -> None:
        del text


@dataclass
class Stage:
    """An experiment with everything around it."""

    lab: Lab
    clock: Clock
    prober: FakeProber
    interrupts: Interrupts
    progress: Quiet
    runs: Runs
    experiment: Experiment
    asked: list[Sequence[str]]


def stage(
    root: Path,
    *,
    targets: tuple[str, ...] = ("wkr2",),
    nodes: list[Node] | None = None,
    services: list[Service] | None = None,
    pinned: Mapping[str, str] | None = None,
    reschedules: bool = True,
    timeout_s: float = 120.0,
    selection: Selection | None = None,
    probe_service: str | None = None,
    fault: str = "instance-stop",
    options: Options | None = None,
    duration_s: float | None = None,
    limits: Limits | None = None,
    hypothesis: Hypothesis | None = None,
    probes: tuple[PlannedProbe, ...] = (),
    balanced: tuple[str, ...] = (),
    consent: Consent | None = None,
    listeners: Listeners | None = None,
) -> Stage:
    clock = Clock()
    lab = Lab(
        clock,
        nodes or workers(3),
        [service("web", 10), service("api", 4), service("db", 1)] if services is None else services,
        pinned or {},
        reschedules,
    )
    prober, interrupts, progress, runs = FakeProber(clock), Interrupts(), Quiet(), Runs(root)
    asked: list[Sequence[str]] = []
    plan = Plan(
        fault=fault,
        selection=selection or Selection(names=targets),
        hypothesis=hypothesis or Hypothesis(within_s=timeout_s),
        options=options or Options(),
        duration_s=duration_s,
        limits=limits or Limits(),
        probe_service=probe_service,
        probes=probes,
        balanced=balanced,
    )
    request = Request(plan, "swarm_app", "eu-central-1", runs)
    world = World(
        managers=lab,
        ec2=lab,
        shell=lab,
        clock=clock,
        events=clock,
        prober=prober,
        interrupts=interrupts,
        progress=progress,
        consent=consent or asked.append,
        listeners=listeners,
    )
    experiment = Experiment(request, world)
    return Stage(lab, clock, prober, interrupts, progress, runs, experiment, asked)
