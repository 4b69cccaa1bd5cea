"""A Swarm, an EC2 and a clock that are simulated: hours pass in milliseconds.

The simulated Swarm behaves as the real one in what matters for a verdict: a stopped machine is
noticed only after a while, its tasks keep saying "running", and replacements come up step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from swarmctl.chaos.fault.node_script import IN_FORCE
from swarmctl.chaos.world.protocols import Machine
from swarmctl.errors import SwarmctlError
from swarmctl.network.finding import Finding
from swarmctl.prediction import Prediction
from swarmctl.swarm.engine import EngineError
from swarmctl.swarm.model import Port, Service, Swarm, Task
from swarmctl.swarm.node import Node
from tests.unit.engine_fake import FakeEngine

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# The managers' clock is not ours: nothing may depend on the two being equal.
SKEW = timedelta(seconds=40)

DETECT_S = 13.0
RUN_S = 6.0
STOP_S = 4.0
BOOT_S = 8.0
REJOIN_S = 3.0
NO_SUITABLE_NODE = (
    "no suitable node (scheduling constraints not satisfied on 3 nodes; "
    "1 node not available for new tasks)"
)


def stamp(at_s: float) -> str:
    """A moment as the Engine writes it."""
    return (START + SKEW + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def node(name: str, role: str = "worker", state: str = "ready", *, address: str = "") -> Node:
    return Node(
        id=f"id-{name}",
        hostname=name,
        name=name,
        role=role,
        availability="active",
        state=state,
        address=address or address_of(name),
        leader=name == "mgr1",
        reachability="reachable" if role == "manager" else "",
        engine_version="26.1.5",
    )


def address_of(name: str) -> str:
    return f"10.42.{1 if name.startswith('mgr') else 2}.{int(name[3:]) + 10}"


def service(name: str, replicas: int, **changes: object) -> Service:
    base = Service(
        id=f"svc-{name}",
        name=name,
        mode="replicated",
        replicas=replicas,
        image="httpd:2.4",
        version=1,
        labels={"com.docker.stack.namespace": "app"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # the fields' own names and types


def task(
    name: str,
    slot: int,
    on: str,
    *,
    state: str = "running",
    desired: str = "running",
    created: float = -600.0,
    suffix: str = "old",
    error: str = "",
    ports: tuple[Port, ...] = (),
) -> Task:
    return Task(
        id=f"{name}.{slot}.{suffix}",
        service_id=f"svc-{name}",
        slot=slot,
        node_id=f"id-{on}" if on else "",
        state=state,
        desired_state=desired,
        created_at=stamp(created),
        updated_at=stamp(created + 1),
        message="pending task scheduling" if state == "pending" else "started",
        error=error,
        ports=ports,
    )


def workers(count: int) -> list[Node]:
    return [node("mgr1", "manager"), *(node(f"wkr{i}") for i in range(1, count + 1))]


@dataclass
class Clock:
    """Time passes only in ``pause``; whoever wants to can be called at a moment."""

    started_at: datetime = START
    _now: float = 0.0
    appointments: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> float:
        return self._now

    def pause(self, seconds: float, /) -> None:
        self._now += max(seconds, 0.001)
        due = [a for a in self.appointments if a[0] <= self._now]
        self.appointments = [a for a in self.appointments if a[0] > self._now]
        for _, call in due:
            call()

    wait = pause

    def at(self, moment: float, call: Callable[[], None]) -> None:
        self.appointments.append((moment, call))


@dataclass(frozen=True)
class Box:
    """An EC2 instance."""

    id: str
    name: str
    state: str
    private_ip: str
    unstoppable: str = ""

    @property
    def address(self) -> str:
        return self.private_ip


@dataclass
class Managers(FakeEngine):
    """The Engine API of the simulated managers: nodes can be drained and removed."""

    lab: Lab = field(init=False)

    def snapshot(self) -> Swarm:
        return self.lab.snapshot()

    def get(self, path: str, **filters: list[str]) -> Any:
        if not path.startswith("/nodes/"):
            return super().get(path, **filters)
        found = self._node(path.removeprefix("/nodes/"))
        return {"Version": {"Index": 7}, "Spec": {"Availability": found.availability, "Labels": {}}}

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        if not path.startswith("/nodes/"):
            return super().send(method, path, body, **options)
        node_id, _, verb = path.removeprefix("/nodes/").partition("/")
        found = self._node(node_id)
        if method == "DELETE":
            self.lab.nodes.remove(found)
            return None
        assert (verb, options["params"]) == ("update", {"version": "7"})
        self.lab.set_availability(found.hostname, body["Availability"])
        return None

    def _node(self, node_id: str) -> Node:
        found = [n for n in self.lab.nodes if n.id == node_id]
        if not found:
            raise EngineError(f"node {node_id} not found", 404)
        return found[0]


@dataclass
class Lab:
    """The simulated cluster: both the EC2 API and the Swarm's managers.

    Args:
        clock: the time.
        nodes: the Swarm's nodes at the start; each has an instance.
        services: what runs, spread over the workers round-robin, or where ``pinned`` says.
        pinned: service → the only node it may run on.
        reschedules: false for a Swarm that never replaces anything.
        stop_delay_s: how long EC2 goes on saying "running" after a stop was asked for.
    """

    clock: Clock
    nodes: list[Node]
    services: list[Service]
    pinned: Mapping[str, str] = field(default_factory=dict)
    reschedules: bool = True
    stop_delay_s: float = 0.0
    log: list[str] = field(default_factory=list)
    fail: dict[str, Exception] = field(default_factory=dict)
    hooks: dict[str, Callable[[], None]] = field(default_factory=dict)
    answers: dict[str, str | Callable[[], str]] = field(default_factory=dict)
    # What a node says when it is asked whether a fault lasts.
    in_force: Callable[[], str] = lambda: IN_FORCE
    prediction: Prediction | None = None
    network: Sequence[Finding] = ()
    engine: Managers = field(default_factory=Managers)

    def __post_init__(self) -> None:
        self.engine.lab = self
        self.states = {n.hostname: "running" for n in self.nodes}
        self.tasks: list[Task] = []
        self.avoided: set[str] = set()
        workers = [n.hostname for n in self.nodes if n.role == "worker"] or ["mgr1"]
        turn = 0
        for s in self.services:
            if s.mode == "global":
                self.tasks += [task(s.name, 0, n.hostname, suffix=n.hostname) for n in self.nodes]
                continue
            for slot in range(1, s.replicas + 1):
                where = self.pinned.get(s.name) or workers[turn % len(workers)]
                turn += 1
                self.tasks.append(task(s.name, slot, where))

    # -- EC2 ----------------------------------------------------------------------------------

    def instances(self, cluster: str, /) -> Sequence[Machine]:
        self._call("instances")
        return [
            Box(f"i-{n.hostname}", n.hostname, self.states[n.hostname], address_of(n.hostname))
            for n in self.nodes
        ]

    def stop(self, instance_id: str, force: bool = False, /) -> None:
        name = instance_id.removeprefix("i-")
        self.log.append(f"{'pull' if force else 'stop'} {name}")
        now = self.clock.now()
        if self.stop_delay_s:
            self.clock.at(now + self.stop_delay_s, lambda: self.states.update({name: "stopping"}))
        else:
            self.states[name] = "stopping"
        self.clock.at(
            now + self.stop_delay_s + STOP_S, lambda: self.states.update({name: "stopped"})
        )
        self.clock.at(now + DETECT_S, lambda: self._down(name))
        self._call("stop")

    def start(self, instance_id: str, /) -> None:
        name = instance_id.removeprefix("i-")
        self._call("start")
        if self.states[name] != "stopped":
            self.log.append(f"start {name} while it was {self.states[name]}")
            raise SwarmctlError(f"IncorrectInstanceState: {name} is {self.states[name]}")
        self.log.append(f"start {name}")
        self.states[name] = "pending"
        now = self.clock.now()
        self.clock.at(now + BOOT_S, lambda: self.states.update({name: "running"}))
        self.clock.at(now + BOOT_S + REJOIN_S, lambda: self._ready(name))

    def state(self, instance_id: str, /) -> str:
        self._call("state")
        return self.states[instance_id.removeprefix("i-")]

    def terminate(self, instance_id: str, /) -> None:
        name = instance_id.removeprefix("i-")
        self.log.append(f"terminate {name}")
        self.states[name] = "terminated"
        self.clock.at(self.clock.now() + DETECT_S, lambda: self._down(name))

    def reboot(self, instance_id: str, /) -> None:
        self.log.append(f"reboot {instance_id.removeprefix('i-')}")
        self._call("reboot")

    # -- the nodes themselves -------------------------------------------------------------------

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        """Answers what ``answers`` has for the first of its words that is in the script."""
        self.log.append(f"{node}: {script}")
        self._call("run")
        if f"echo {IN_FORCE}" in script:
            return self.in_force()
        found = (answer for words, answer in self.answers.items() if words in script)
        answer = next(found, "")
        return answer() if callable(answer) else answer

    def reachable(self, node: str) -> bool:
        return self.states[node] in ("running", "stopping")

    # -- the managers ---------------------------------------------------------------------------

    def snapshot(self) -> Swarm:
        self._call("snapshot")
        return Swarm(tuple(self.nodes), tuple(self.services), tuple(self.tasks))

    def now(self) -> datetime:
        self._call("now")
        return START + SKEW + timedelta(seconds=self.clock.now())

    def avoid(self, addresses: Collection[str]) -> None:
        self.avoided |= set(addresses)

    def predict(self, lost: Collection[str]) -> Prediction | None:
        return self.prediction

    # -- what happens by itself -----------------------------------------------------------------

    def _call(self, name: str) -> None:
        if name in self.hooks:
            self.hooks[name]()
        if name in self.fail:
            raise self.fail[name]

    def set_node(self, name: str, state: str) -> None:
        self.nodes = [replace(n, state=state) if n.hostname == name else n for n in self.nodes]

    def set_availability(self, name: str, availability: str) -> None:
        self.log.append(f"{name} is {availability}")
        self.nodes = [
            replace(n, availability=availability) if n.hostname == name else n for n in self.nodes
        ]
        if availability == "drain":
            self._replace_tasks_of(name)

    def end_tasks(self, ids: Collection[str]) -> None:
        """Containers die; their slots are filled again on the same node."""
        for old in [t for t in self.tasks if t.id in ids]:
            self._change(old.id, state="failed", desired_state="shutdown")
            self._assign(old, old.node_id.removeprefix("id-"))

    def _down(self, name: str) -> None:
        if self.states[name] in ("running", "pending"):
            return  # it was back before anybody noticed
        self.set_node(name, "down")
        if self.reschedules:
            self._replace_tasks_of(name)

    def _replace_tasks_of(self, name: str) -> None:
        others = [
            n.hostname
            for n in self.nodes
            if n.role == "worker" and n.live and n.availability == "active"
        ]
        lost = [t for t in self.tasks if t.node_id == f"id-{name}" and t.slot]
        for index, old in enumerate(lost):
            self._change(old.id, desired_state="shutdown")
            pinned = self.pinned.get(old.service_id.removeprefix("svc-"))
            self._assign(old, "" if pinned else others[index % len(others)])

    def _assign(self, old: Task, host: str) -> None:
        """A new task for a slot, on a host or, without one, pending."""
        now = self.clock.now()
        fresh = task(
            old.service_id.removeprefix("svc-"),
            old.slot,
            host,
            state="assigned" if host else "pending",
            created=now,
            suffix=f"new{now:.0f}",
            error="" if host else NO_SUITABLE_NODE,
        )
        self.tasks.append(fresh)
        if host:
            self.clock.at(now + RUN_S, lambda: self._run(fresh.id))

    def _run(self, task_id: str) -> None:
        self._change(task_id, state="running", updated_at=stamp(self.clock.now()), error="")

    def _change(self, task_id: str, **changes: str) -> None:
        self.tasks = [
            replace(t, **changes) if t.id == task_id else t  # type: ignore[arg-type]  # texts
            for t in self.tasks
        ]

    def _ready(self, name: str) -> None:
        self.set_node(name, "ready")
        for t in self.tasks:
            if t.state == "pending" and self.pinned.get(t.service_id.removeprefix("svc-")) == name:
                self._change(t.id, node_id=f"id-{name}")
                self._run(t.id)
