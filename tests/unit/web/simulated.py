"""A Swarm that is not there: nodes and tasks as snapshots, changed by the test."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from swarmctl.audit.check import Check
from swarmctl.discovery.listeners.sockets import Place, listen_tcp
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Service, Swarm, Task
from swarmctl.swarm.node import Node
from swarmctl.swarm.overview import Machine
from swarmctl.web.serve import Options, running

ZONES = ("a", "b", "c")


def now() -> str:
    """As the Engine writes it."""
    return datetime.now(UTC).isoformat()


def swarm(nodes: int, services: int, replicas: int, prefix: str = "swarm_app") -> Swarm:
    """A healthy Swarm: a manager and workers in three zones, replicas spread over the workers."""
    members = tuple(
        Node(
            id=f"n{i}",
            hostname=f"{prefix}_{'mgr1' if i == 0 else f'wkr{i}'}",
            name=f"{prefix}_{'mgr1' if i == 0 else f'wkr{i}'}",
            role="manager" if i == 0 else "worker",
            availability="active",
            state="ready",
            address=f"10.0.0.{i}",
            labels={"az": f"eu-central-1{ZONES[i % 3]}"},
            leader=i == 0,
            reachability="reachable" if i == 0 else "",
            engine_version="28.2.2",
        )
        for i in range(nodes)
    )
    wanted = tuple(
        Service(
            id=f"s{i}",
            name=f"shop_part{i}",
            mode="replicated",
            replicas=replicas,
            image=f"part{i}:1.0",
            version=1,
            labels={"com.docker.stack.namespace": "shop"},
        )
        for i in range(services)
    )
    tasks = tuple(
        task(f"t{i}-{slot}", f"s{i}", slot, f"n{1 + (i * replicas + slot) % max(1, nodes - 1)}")
        for i in range(services)
        for slot in range(1, replicas + 1)
    )
    return Swarm(members, wanted, tasks, taken_at=now())


def task(name: str, service: str, slot: int, node: str, state: str = "running") -> Task:
    """A task that runs."""
    return Task(name, service, slot, node, state, "running", now(), now())


def killed(before: Swarm, node: str) -> Swarm:
    """A node is Down; each of its replicas runs on the next worker."""
    others = [n.id for n in before.nodes if n.role == "worker" and n.id != node]
    lost = [t for t in before.tasks if t.node_id == node and t.desired_state == "running"]
    kept = tuple(replace(t, desired_state="shutdown") if t in lost else t for t in before.tasks)
    new = tuple(
        task(f"{t.id}+", t.service_id, t.slot, others[i % len(others)]) for i, t in enumerate(lost)
    )
    nodes = tuple(replace(n, state="down") if n.id == node else n for n in before.nodes)
    return replace(before, nodes=nodes, tasks=(*kept, *new), taken_at=now())


def moved(before: Swarm, count: int, seed: random.Random) -> Swarm:
    """Some replicas are replaced by new ones elsewhere."""
    tasks = list(before.tasks)
    workers = [n.id for n in before.nodes if n.role == "worker"]
    for place in seed.sample(range(len(tasks)), count):
        old = tasks[place]
        name = f"{old.id.partition('#')[0]}#{seed.randrange(10**9)}"
        tasks[place] = task(name, old.service_id, old.slot, seed.choice(workers))
    return replace(before, tasks=tuple(tasks), taken_at=now())


@dataclass
class Simulated:
    """A source for the page; see :class:`swarmctl.web.source.Source`."""

    found: Swarm
    fault: str = ""
    address: str = "10.0.0.0"
    cluster: str = "swarm_app"
    ports: dict[str, Task] = field(default_factory=dict)  # by task: with what its node knows

    def snapshot(self) -> Swarm:
        """The Swarm as the test has set it."""
        if self.fault:
            raise SwarmctlError(self.fault)
        return self.found

    whole = snapshot

    def machines(self) -> tuple[Machine, ...]:
        """None."""
        return ()

    machines_now = machines

    def with_ports(self, swarm: Swarm) -> Swarm:
        """With the ports that a test has put there."""
        return replace(swarm, tasks=tuple(self.ports.get(t.id, t) for t in swarm.tasks))

    def checks(self) -> tuple[Check, ...]:
        """One of each kind; as of a real audit, it fails with the Swarm."""
        self.snapshot()
        return (
            Check("managers", True, "1 of 1 answers"),
            Check("capacity", False, "wkr2 may not be lost", "swarmctl chaos predict --each"),
            Check("disk", None, "wkr3 does not answer"),
        )


@contextmanager
def served(
    source: Simulated, runs: Path, password: str = "", interval: float = 0.1, port: int = 0
) -> Iterator[str]:
    """The page over a simulated Swarm; yields its URL."""
    place = Place("127.0.0.1", port)
    stop = threading.Event()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    with (
        listen_tcp(place, "--port") as bound,
        running(bound, source, Options(place, password, interval, runs), wait),
    ):
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
        finally:
            stop.set()
