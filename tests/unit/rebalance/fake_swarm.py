"""A Swarm in memory that adds and removes replicas as SwarmKit does; time passes by waiting."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.engine import EngineError
from swarmctl.swarm.model import STACK_LABEL, Swarm
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.ssh import ManagerError, NotNowError
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine
from tests.unit.scheduler.swarms import Raw, nodes, service, task


class StoppedError(Exception):
    """What a signal raises."""


@dataclass
class FakeSignals:
    """Signals that come when they are told to."""

    doing: str = ""
    came: bool = False
    careful: bool = False

    def check(self) -> None:
        if self.came and not self.careful:
            raise StoppedError

    def reverting(self) -> None:
        self.careful = True

    def reverted(self) -> None:
        self.careful = False


@dataclass
class FakeSwarm(FakeEngine):
    """Services with tasks on nodes.

    Attributes:
        starts: seconds until a new task runs; ``None``: it never does.
        events: what happens at a time.
        target: where new replicas go, unless Swarm's rule says.
        fails: sends fail until then, after having been carried out.
    """

    now: float = 0.0
    machines: list[Raw] = field(default_factory=lambda: nodes("a b c"))
    starts: float | None = 2.0
    tasks: list[Raw] = field(default_factory=list)
    born: dict[str, float] = field(default_factory=dict)
    events: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    target: str = ""
    least: dict[str, int] = field(default_factory=dict)
    fails: float = 0.0
    unreachable: bool = False
    slots: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    @property
    def clock(self) -> Clock:
        """Its time."""
        return Clock(lambda: self.now, self.pause)

    def have(self, name: str, placed: Mapping[str, int], stack: str = "") -> str:
        """A service with running tasks; its id."""
        raw = service(name, sum(placed.values()))
        raw["Version"] = {"Index": 1}
        raw["Spec"]["Labels"] = {STACK_LABEL: stack} if stack else {}
        self.store["services"][raw["ID"]] = raw
        where = [node for node, count in placed.items() for _ in range(count)]
        self.tasks += [task(raw, slot, node) for slot, node in enumerate(where, 1)]
        return str(raw["ID"])

    def replicas(self, name: str) -> int:
        """That are wanted now."""
        spec = self.store["services"][f"id-{name}"]["Spec"]
        return int(spec["Mode"]["Replicated"]["Replicas"])

    def counts(self, name: str) -> dict[str, int]:
        """Running tasks by node."""
        found = {machine["Description"]["Hostname"]: 0 for machine in self.machines}
        for mine in self._of(f"id-{name}"):
            if mine["Status"]["State"] == "running":
                found[mine["NodeID"].removeprefix("id-")] += 1
        return found

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for at, event in list(self.events):
            if at <= self.now:
                self.events.remove((at, event))
                event()
        for mine in self.tasks:
            if self.starts is not None and self.now >= self.born.get(mine["ID"], 0) + self.starts:
                mine["Status"]["State"] = "running" if mine["NodeID"] else "pending"

    def get(self, path: str, **filters: list[str]) -> Any:
        self._reachable()
        if path == "/nodes":
            return copy.deepcopy(self.machines)
        if path == "/tasks":
            return copy.deepcopy(self.tasks)
        if path.startswith("/services/") and path.split("/")[2] not in self.store["services"]:
            raise EngineError("no such service", 404)
        return super().get(path, **filters)

    def _update(self, kind: str, entry: Raw, spec: Raw, params: Mapping[str, str]) -> Raw:
        answer: Raw = super()._update(kind, entry, spec, params)
        if kind == "services":
            self._reconcile(entry)
        if self.now < self.fails:
            raise NotNowError("raft: failed to process the request: node lost leader status")
        return answer

    def _reachable(self) -> None:
        if self.unreachable:
            raise ManagerError("no manager answers")

    def snapshot(self) -> Swarm:
        self._reachable()
        services = list(self.store["services"].values())
        found = parse_swarm(
            copy.deepcopy({"nodes": self.machines, "services": services, "tasks": self.tasks})
        )
        for one in found.services:
            running = found.running(one)
            self.least[one.name] = min(self.least.get(one.name, running), running)
        return found

    def _of(self, service_id: str) -> list[Raw]:
        return [t for t in self.tasks if t["ServiceID"] == service_id]

    def _reconcile(self, entry: Raw) -> None:
        mine, wanted = self._of(entry["ID"]), entry["Spec"]["Mode"]["Replicated"]["Replicas"]
        while len(mine) < wanted:
            new = task(entry, next(self.slots), self._emptiest(mine), state="starting")
            if self.target == "nowhere":
                new["NodeID"], new["Status"] = "", {
                    "State": "pending", "Err": "no suitable node (…)", "Timestamp": "",
                }  # fmt: skip
            self.born[new["ID"]] = self.now
            self.tasks.append(new)
            mine.append(new)
        while len(mine) > wanted:
            gone = self._fullest(mine)
            self.tasks.remove(gone)
            mine.remove(gone)

    def _emptiest(self, mine: list[Raw]) -> str:
        names = [str(machine["Description"]["Hostname"]) for machine in self.machines]
        if self.target in names:
            return self.target
        return min(names, key=lambda name: sum(t["NodeID"] == f"id-{name}" for t in mine))

    def _fullest(self, mine: list[Raw]) -> Raw:
        loose = [t for t in mine if not t["NodeID"]]
        if loose:
            return loose[0]
        order = sorted(mine, key=lambda t: t["Status"]["State"] != "running")
        seen: dict[str, int] = {}
        numbered = []
        for one in order:
            seen[one["NodeID"]] = seen.get(one["NodeID"], 0) + 1
            numbered.append((seen[one["NodeID"]], one))
        return max(reversed(numbered), key=lambda pair: pair[0])[1]
