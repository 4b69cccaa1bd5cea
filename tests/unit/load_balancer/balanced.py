"""Services behind a load balancer, for the tests: a Swarm, the fake API, and the listener."""

from __future__ import annotations

from typing import Any

from swarmctl.cloud.instances import Instance
from swarmctl.cloud.load_balancer import ElbApi
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.discovery.listeners.load_balancer.instance_ids import InstanceIds
from swarmctl.discovery.listeners.load_balancer.listener import LoadBalancerListener
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import NODES, port
from tests.unit.engine_json import service, swarm, task
from tests.unit.load_balancer.elb import FakeElb

CLUSTER = "swarm_app"
Raw = dict[str, Any]


def instance(name: str, address: str, state: str = "running") -> Instance:
    return Instance(
        id=f"i-{name.replace('_', '')}", name=name, role="worker", state=state, private_ip=address,
        public_ip="", az="eu-1a", ssh_user="admin", cluster=CLUSTER,
    )  # fmt: skip


INSTANCES = (
    instance("mgr_1", "10.42.0.4"),
    instance("wkr_1", "10.42.0.5"),
    instance("wkr_2", "10.42.0.6"),
)


def http(name: str, path: str | None = None, /, created: str = "2026-01-01", **labels: str) -> Raw:
    """A service on a dynamic host port with ``swarmctl.http.…`` labels; ``_`` becomes ``-``."""
    raw = service(name, stack="shop", replicas=2, ports=[port(80)], CreatedAt=created)
    given = {key.replace("_", "-"): text for key, text in labels.items()}
    if path is not None:
        given["path"] = path
    raw["Spec"]["Labels"] |= {f"swarmctl.http.{key}": text for key, text in given.items()}
    return raw


def runs(of: str, on: str, number: int, slot: int = 1) -> Raw:
    """A task that serves on a host port."""
    return task(of, on, slot, id=f"{of}-{number}", ports=[port(80, number)])


def edition(services: list[Raw], tasks: list[Raw], nodes: list[Raw] | None = None) -> Edition:
    return edition_of(swarm(NODES if nodes is None else nodes, services, tasks))


def edition_of(snapshot: Swarm) -> Edition:
    return follow(None, catalogue(snapshot), (), 1)


class World:
    """The fake API with a load balancer, a listener for it, and a clock."""

    def __init__(self) -> None:
        self.elb = FakeElb()
        self.balancer = self.elb.add_balancer("swarm-app", CLUSTER)
        self.now = 0.0
        self.instances = list(INSTANCES)
        self.ec2_calls = 0
        self.notes: list[str] = []
        self.listener = self.new_listener()

    def new_listener(self) -> LoadBalancerListener:
        """As in a new process, which remembers nothing."""
        return LoadBalancerListener(
            ElbApi(self.elb.client, lambda _: None),
            CLUSTER,
            InstanceIds(self._read, self._clock),
            self.notes.append,
            self._clock,
        )

    def writes(self, wanted: Edition) -> dict[str, int]:
        """The writing calls that publishing an edition made."""
        return self.elb.writes(lambda: self.listener.publish(wanted))

    def _clock(self) -> float:
        return self.now

    def _read(self) -> list[Instance]:
        self.ec2_calls += 1
        return self.instances


def settled(world: World, wanted: Edition, passes: int = 20) -> int:
    """Publish until all is published, as its thread would; returns the number of passes."""
    for number in range(1, passes + 1):
        try:
            world.listener.publish(wanted)
        except PublishError as fault:
            world.now += fault.retry_s
        except SwarmctlError:
            world.now += 1
        else:
            return number
    raise AssertionError("it does not converge")
