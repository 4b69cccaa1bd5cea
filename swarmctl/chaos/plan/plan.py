"""What an experiment will do, whether it was written as options or as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.probes.planned import ALL, PlannedProbe, ServiceProbe, user_probe
from swarmctl.chaos.probes.probe import Client
from swarmctl.discovery.check.find import Choice
from swarmctl.discovery.listeners.load_balancer.urls import Url


@dataclass(frozen=True)
class Plan:
    """An experiment, and how often it is run.

    Args:
        fault: the fault's name.
        selection: which targets.
        hypothesis: what is expected.
        options: of the fault.
        duration_s: seconds the fault lasts at least; ``None`` for the fault's default.
        limits: what the guards allow.
        probe_service: see :func:`swarmctl.chaos.probes.published.published`.
        probes: sent during the run; services among them replace ``probe_service``.
        find_urls: whether to add probes through the cluster's load balancer, if it has one.
        balanced: published services that only the load balancer may reach: not probed from here,
            unless one is named.
        listeners: who is asked, during the run, for the endpoints.
        title: the name of an experiment file.
        cluster: the cluster's name, if a file names it.
        repeat: number of runs, from 1.
        every_s: seconds from one start to the next.
        rolling: once for every matching node, one after the other.
        keep_going: continue after a refuted run.
    """

    fault: str
    selection: Selection
    hypothesis: Hypothesis = field(default_factory=Hypothesis)
    options: Options = field(default_factory=Options)
    duration_s: float | None = None
    limits: Limits = field(default_factory=Limits)
    probe_service: str | None = None
    probes: tuple[PlannedProbe, ...] = ()
    find_urls: bool = True
    balanced: tuple[str, ...] = ()
    listeners: Choice = field(default_factory=Choice)
    title: str = ""
    cluster: str = ""
    repeat: int = 1
    every_s: float = 0.0
    rolling: bool = False
    keep_going: bool = False

    @property
    def only_service(self) -> str | None:
        """The value of ``--probe-service``: the one service that is probed, or ``none``."""
        match [probe for probe in self.probes if probe.client is not Client.LOAD_BALANCER]:
            case [ServiceProbe(service=name) as probe] if (
                probe == ServiceProbe(name) and name != ALL
            ):
                return name
        return self.probe_service

    def with_urls(self, urls: Mapping[str, Url]) -> Plan:
        """With probes of the services that are probed, as users request them."""
        named = {one.service for one in self.probes if isinstance(one, ServiceProbe)} - {ALL}
        probes = (
            user_probe(url.address, f"{service} (load balancer)", url.host)
            for service, url in urls.items()
            if not named or service in named
        )
        return replace(self, probes=(*self.probes, *probes), find_urls=False)

    def __post_init__(self) -> None:
        """A campaign without a run would count as held."""
        if self.repeat < 1:
            raise ValueError(f"cannot run {self.repeat} times")
