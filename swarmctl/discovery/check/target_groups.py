"""Asks a load balancer for the targets that it forwards requests to."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from swarmctl.cloud.instances import Instance
from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.cloud.target_groups import TargetGroup, TargetPort, find_groups, target_health
from swarmctl.discovery.check.source import Published
from swarmctl.discovery.endpoint import Endpoint
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import SwarmctlError

TARGET_GROUPS = "target groups"
# Which groups there are is asked for so often; their targets each time.
_LIST_AGAIN_S = 10.0
# AWS allows ten reads a second for all callers together.
_CALLS_A_SECOND = 4


def balanced_service(endpoint: Endpoint) -> tuple[str, ...]:
    """An endpoint behind the load balancer is under its service's name, any other under none."""
    return (endpoint.service,) if endpoint.balanced else ()


@dataclass
class TargetGroups:
    """See :class:`swarmctl.discovery.check.source.Source`: the targets, by the Swarm's service.

    Targets that drain are not named: they get no new request.

    Args:
        cluster: whose load balancer.
        api: Elastic Load Balancing.
        instances: asks EC2 for the cluster's.
        in_use: name only the targets that get requests: the healthy ones, or all if none is.
        clock: seconds.
    """

    cluster: str
    api: ElbApi
    instances: Callable[[], Iterable[Instance]]
    clock: Callable[[], float] = time.monotonic
    in_use: bool = False
    name: str = TARGET_GROUPS
    _groups: tuple[TargetGroup, ...] = ()
    _addresses: dict[str, str] = field(default_factory=dict)  # private address by instance
    _listed_at: float | None = None

    @property
    def every_s(self) -> float:
        """A second, or longer with many groups: the agent needs the account's calls, too."""
        return max(1.0, len(self._groups) / _CALLS_A_SECOND)

    def ask(self, names: Collection[str]) -> Published:
        """The targets of all groups that discovery made for the cluster."""
        del names
        try:
            self._list()
            places = {
                group.service: self._places(target_health(self.api, group.arn))
                for group in self._groups
            }
        except SwarmctlError as fault:
            self._listed_at = None
            return Published(
                self.name, fault=f"cannot be asked: {fault.message}", names=balanced_service
            )
        return Published(self.name, places, names=balanced_service)

    def _list(self) -> None:
        if self._listed_at is not None and self.clock() - self._listed_at < _LIST_AGAIN_S:
            return
        self._groups = tuple(find_groups(self.api, self.cluster).values())
        self._addresses = {i.id: i.private_ip for i in self.instances() if i.private_ip}
        self._listed_at = self.clock()

    def _places(self, health: Mapping[TargetPort, str]) -> frozenset[str]:
        healthy = [target for target, state in health.items() if state == "healthy"]
        return frozenset(map(self._place, (self.in_use and healthy) or health))

    def _place(self, target: TargetPort) -> str:
        address = self._addresses.get(target.instance, target.instance)
        return str(Place(address, target.port))
