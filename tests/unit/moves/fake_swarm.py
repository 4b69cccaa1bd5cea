"""A Swarm in memory whose nodes can be drained, and clients that remember what they were told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.moves.context import Context
from swarmctl.swarm.model import Swarm
from tests.unit.rebalance.fake_swarm import FakeSignals, FakeSwarm
from tests.unit.scheduler.swarms import Raw, service, task


@dataclass
class DrainSwarm(FakeSwarm):
    """Nodes ``a``, ``b``, ``c``; each service publishes a host port."""

    stopped: list[tuple[float, str]] = field(default_factory=list)  # tasks, and when

    def __post_init__(self) -> None:
        self.store["nodes"] = {machine["ID"]: machine for machine in self.machines}

    def have(self, name: str, placed: Mapping[str, int], stack: str = "", **more: Any) -> str:
        raw = service(name, sum(placed.values()), ports=[0], **more)
        raw["Version"] = {"Index": 1}
        self.store["services"][raw["ID"]] = raw
        where = [node for node, count in placed.items() for _ in range(count)]
        self.tasks += [task(raw, slot, node) for slot, node in enumerate(where, 1)]
        self._give_ports()
        return str(raw["ID"])

    def _give_ports(self) -> None:
        for number, mine in enumerate(self.tasks, 32768):
            mine["Status"].setdefault(
                "PortStatus",
                {
                    "Ports": [
                        {
                            "Protocol": "tcp",
                            "TargetPort": 80,
                            "PublishedPort": number,
                            "PublishMode": "host",
                        }
                    ]
                },
            )

    def get(self, path: str, **filters: list[str]) -> Any:
        if path.startswith("/nodes/"):
            return super(FakeSwarm, self).get(path, **filters)
        return super().get(path, **filters)

    def availability(self, name: str) -> str:
        return str(self.store["nodes"][f"id-{name}"]["Spec"]["Availability"])

    def labels(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self.store["nodes"][f"id-{name}"]["Spec"].get("Labels") or {}
        return found

    def _update(self, kind: str, entry: Raw, spec: Raw, params: Mapping[str, str]) -> Raw:
        if kind == "services":
            return super()._update(kind, entry, spec, params)
        answer: Raw = super(FakeSwarm, self)._update(kind, entry, spec, params)
        if kind == "nodes" and spec["Availability"] == "drain":
            for gone in [t for t in self.tasks if t["NodeID"] == entry["ID"]]:
                self.tasks.remove(gone)
                self.stopped.append((self.now, gone["ID"]))
                self._reconcile(self.store["services"][gone["ServiceID"]])
        return answer

    def _reconcile(self, entry: Raw) -> None:
        before = {t["ID"] for t in self.tasks}
        super()._reconcile(entry)
        if entry["Spec"]["TaskTemplate"]["Placement"]["Constraints"]:  # no other node suits
            for new in self._of(entry["ID"]):
                if new["ID"] not in before:
                    new["NodeID"], new["Status"]["State"] = "", "pending"
        self._give_ports()
        self.stopped += [(self.now, i) for i in sorted(before - {t["ID"] for t in self.tasks})]

    def _emptiest(self, mine: list[Raw]) -> str:
        names = [
            str(m["Description"]["Hostname"])
            for m in self.machines
            if m["Spec"]["Availability"] == "active"
        ]
        return min(names, key=lambda name: sum(t["NodeID"] == f"id-{name}" for t in mine))


@dataclass
class Clients:
    """A publisher whose clients use what they were told for a while.

    Attributes:
        told: ids of the endpoints, at the last pass.
        forgot: when each was withdrawn.
        lags: seconds.
        fresh: passes until a new endpoint is used.
    """

    swarm: DrainSwarm
    lags: float = 10.0
    name: str = "clients"
    told: set[str] = field(default_factory=set)
    forgot: dict[str, float] = field(default_factory=dict)
    passes: int = 0
    waits: int = 0

    def publish(self, swarm: Swarm) -> None:
        self.passes += 1
        found = catalogue(swarm)
        now = {e.id for e in found.endpoints} | (self.told & {e.id for e in found.unknown})
        for gone in self.told - now:
            self.forgot[gone] = self.swarm.now
        self.told = now

    def not_ready(self, endpoints: Collection[Endpoint]) -> str:
        self.waits += 1
        return "initial" if endpoints and self.waits < 3 else ""

    def lag(self, found: Catalogue, leaving: Collection[Endpoint]) -> float:
        return self.lags if leaving else 0.0

    def broken(self) -> list[str]:
        """Tasks that were stopped while clients might use them."""
        return [
            task
            for at, task in self.swarm.stopped
            if task in self.told or at < self.forgot.get(task, -1e9) + self.lags
        ]


def context(fake: DrainSwarm, *publishers: Any, signals: FakeSignals | None = None) -> Context:
    """What a move needs, in the fake's time."""
    return Context(fake, signals or FakeSignals(), 60.0, clock=fake.clock, publishers=publishers)
