"""The real thing: a cluster's machines over EC2, its managers and nodes over SSH."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import docker.errors

from swarmctl.chaos.world.reconnect import ReconnectingEngine
from swarmctl.cloud.instances import Cloud
from swarmctl.cluster import Target, endpoints, find, machines_of, manager_endpoints, on
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.find import Choice, behind_load_balancer, in_cloud_map
from swarmctl.discovery.check.source import Source
from swarmctl.discovery.listeners.load_balancer.urls import Url, probed_urls
from swarmctl.errors import SwarmctlError
from swarmctl.network.access import access_by, balanced_services
from swarmctl.network.check import check_network
from swarmctl.network.finding import Finding
from swarmctl.network.paths import settled_paths
from swarmctl.prediction import Bounds, Prediction
from swarmctl.prediction.predict import predict
from swarmctl.reading.times import time_or_none
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.connect import Failover
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.observe.events import SwarmEvents
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.snapshot import take_snapshot
from swarmctl.swarm.ssh import Endpoint

T = TypeVar("T")
C = TypeVar("C", "LiveManagers", SwarmEvents)

# Smaller bounds than `swarmctl chaos predict` uses: search a second or two before a run, and keep
# the outcomes few enough for a readable journal.
_BOUNDS = Bounds(outcomes=1_000, work=40_000, draws=500)


class LiveManagers:
    """The Swarm through whichever of its managers answers.

    Args:
        endpoints: the managers.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Connects at the first request."""
        self._endpoints = tuple(endpoints)
        self._failover = Failover(self._endpoints)

    @property
    def address(self) -> str:
        """The manager that answered last."""
        return self._failover.address

    def snapshot(self) -> Swarm:
        """Everything the managers know now."""
        return self._ask(SwarmClient.snapshot)

    def cluster_id(self) -> str:
        """The Swarm's id, which stays the same for its whole life."""
        return self._failover.cluster_id()

    def now(self) -> datetime:
        """The clock of the manager that answers."""
        stamp = self._ask(lambda client: str(client.ask(client.docker.info)["SystemTime"]))
        moment = time_or_none(stamp)
        if moment is None:
            raise SwarmctlError(f"{self.address}: the Engine says the time is {stamp!r}")
        return moment

    def predict(self, lost: Collection[str]) -> Prediction | None:
        """What will happen when these nodes are lost."""
        swarm = parse_swarm(self._ask(take_snapshot))
        return predict(swarm, lost, _BOUNDS)

    @property
    def engine(self) -> Engine:
        """Raw Engine API requests; they too go to other managers after :meth:`avoid`."""
        return SwarmEngine(self._failover)

    def avoid(self, addresses: Collection[str]) -> None:
        """Stop asking these managers, unless there are no others."""
        others = tuple(e for e in self._endpoints if e.address not in addresses)
        if others and others != self._endpoints:
            self._endpoints = others
            self._failover.only(others)

    def close(self) -> None:
        """End the connection."""
        self._failover.close()

    def _ask(self, question: Callable[[SwarmClient], T]) -> T:
        try:
            return self._failover.ask(question)
        except docker.errors.APIError as error:  # "context deadline exceeded" in an election
            raise SwarmctlError(f"{self.address}: {error.explanation or error}") from error


class LiveCluster:
    """A cluster on EC2.

    Args:
        ec2: the EC2 API.
        name: the cluster's name (its EC2 tag).
    """

    def __init__(self, ec2: Cloud, name: str) -> None:
        """Connects to nothing yet."""
        self.ec2, self.name = ec2, name
        self.shell = Shells(self._nodes)
        self._opened: list[LiveManagers | SwarmEvents] = []

    @classmethod
    def find(cls, cluster: str | None = None, region: str | None = None) -> LiveCluster:
        """The cluster of that name, else ``$SWARMCTL_CLUSTER``, else the region's only one.

        Raises:
            UsageError: the cluster is unknown, or there are several.
            SwarmctlError: EC2 cannot be asked.
        """
        ec2 = machines_of(cluster, region)
        return cls(ec2, find(ec2, cluster)[0])

    @property
    def region(self) -> str:
        """Its AWS region."""
        return self.ec2.region

    def managers(self) -> LiveManagers:
        """The managers that run now.

        Raises:
            SwarmctlError: none does.
        """
        return self._keep(LiveManagers(self._endpoints()))

    def events(self) -> SwarmEvents:
        """The events of the managers that run now."""
        return self._keep(SwarmEvents(self._endpoints()))

    def engine(self) -> ReconnectingEngine:
        """Requests, each to a manager that runs at that moment."""
        return ReconnectingEngine(lambda: self.managers().engine)

    def network(self, swarm: Swarm, awaiting: Callable[[str], None]) -> tuple[Finding, ...]:
        """What is wrong with its network (``swarmctl status --deep``), once it has settled."""
        settled = partial(settled_paths, awaiting=awaiting)
        return check_network(self._target(), swarm, settled)

    def balanced(self, swarm: Swarm) -> tuple[str, ...]:
        """The published services that only the load balancer may reach."""
        return balanced_services(swarm, access_by(self._target().rules()))

    def sources(self, choice: Choice) -> tuple[Source, ...]:
        """What names the cluster's endpoints and can be asked for them."""
        managers = self.managers()
        nodes = {node.name for node in managers.snapshot().nodes}
        addresses = ("127.0.0.1", *(i.address for i in self.ec2.instances(self.name)))
        in_aws = in_cloud_map(self.name, managers.cluster_id(), choice.cloud_map or None)
        balanced, _ = behind_load_balancer(self.name, in_use=True)
        return (*choice.agent(addresses, nodes), *in_aws, *balanced)

    def urls(self, swarm: Swarm) -> dict[str, Url]:
        """What users request through the cluster's load balancer, if it has one, by service."""
        return probed_urls(self.name, catalogue(swarm).routes)

    def close(self) -> None:
        """End all connections."""
        self.shell.close()
        for opened in self._opened:
            opened.close()

    def _target(self) -> Target:
        return on(self.ec2, self.name)

    def _keep(self, opened: C) -> C:
        self._opened.append(opened)
        return opened

    def _endpoints(self) -> tuple[Endpoint, ...]:
        return manager_endpoints(self.name, self.ec2.instances(self.name))

    def _nodes(self) -> dict[str, Endpoint]:
        return endpoints(self.ec2.instances(self.name))
