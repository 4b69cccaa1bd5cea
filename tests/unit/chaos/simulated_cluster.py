"""The simulated Swarm as a cluster that can be connected to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.discovery.check.find import Choice
from swarmctl.discovery.check.source import Source
from swarmctl.discovery.listeners.load_balancer.urls import Url
from swarmctl.errors import SwarmctlError
from swarmctl.network.finding import Finding
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.simulated_swarm import Clock, Lab, Managers


@dataclass
class SimulatedCluster:
    """The simulated cluster as ``LiveCluster`` presents a real one."""

    lab: Lab
    name: str = "swarm_app"
    region: str = "eu-central-1"
    user_urls: Mapping[str, Url] = field(default_factory=dict)
    urls_fail: str = ""
    behind_balancer: Sequence[str] = ()

    @property
    def ec2(self) -> Lab:
        return self.lab

    @property
    def shell(self) -> Lab:
        return self.lab

    def managers(self) -> Lab:
        return self.lab

    def events(self) -> Clock:
        return self.lab.clock

    def engine(self) -> Managers:
        return self.lab.engine

    def sources(self, choice: Choice, /) -> Sequence[Source]:
        return ()

    def urls(self, swarm: Swarm, /) -> Mapping[str, Url]:
        if self.urls_fail:
            raise SwarmctlError(self.urls_fail)
        return self.user_urls

    def balanced(self, swarm: Swarm, /) -> Sequence[str]:
        return self.behind_balancer

    def network(self, swarm: Swarm, awaiting: Callable[[str], None], /) -> Sequence[Finding]:
        return self.lab.network

    def close(self) -> None:
        pass
