"""A Swarm as plain, frozen data: no I/O, no clock.

Built from the Engine API's own JSON (``GET /nodes``, ``/services``, ``/tasks``), so that a stored
snapshot and a live Swarm are the same thing. https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm import constraints

STACK_LABEL = "com.docker.stack.namespace"

# Task states in the order a task goes through them (swarmkit api/types.proto, TaskState).
TASK_STATES = (
    "new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running",
    "complete", "shutdown", "failed", "rejected", "remove", "orphaned",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: ``published`` is 0 until a dynamic host port has been given out."""

    protocol: str
    target: int
    published: int
    mode: str  # "ingress" or "host"


@dataclass(frozen=True, slots=True)
class Node:
    """A member of the Swarm."""

    id: str
    hostname: str
    role: str  # "manager" or "worker"
    availability: str  # "active", "pause" or "drain"
    state: str  # "ready", "down", "disconnected" or "unknown"
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    leader: bool = False
    reachability: str = ""  # managers only: "reachable" or "unreachable"
    engine_version: str = ""
    nano_cpus: int = 0
    memory_bytes: int = 0
    message: str = ""
    status_address: str = ""  # Status.Addr, which ``node.ip`` is compared with
    platform_os: str = ""
    platform_arch: str = ""
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    updated_at: str = ""  # RFC 3339: when the managers last changed their record of it

    @property
    def live(self) -> bool:
        """Whether the managers can talk to it."""
        return self.state == "ready"


@dataclass(frozen=True, slots=True)
class Service:
    """What should run."""

    id: str
    name: str
    mode: str  # "replicated", "global", "replicated-job" or "global-job"
    replicas: int  # wanted (completions wanted, for a job); 0 for global modes
    image: str
    version: int  # Version.Index
    labels: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    update_state: str = ""  # UpdateStatus.State, "" when the service was never updated
    update_message: str = ""
    update_started_at: str = ""  # RFC 3339
    job_iteration: int = 0
    spec_hash: str = ""  # equal to that of a task made from the current spec

    @property
    def is_job(self) -> bool:
        """Whether its tasks are to end, and not to go on running."""
        return self.mode.endswith("-job")

    @property
    def is_global(self) -> bool:
        """Whether it has one task a node."""
        return self.mode.startswith("global")

    @property
    def stack(self) -> str:
        """The stack it was deployed with, or ``""``."""
        return self.labels.get(STACK_LABEL, "")


@dataclass(frozen=True, slots=True)
class Task:
    """One replica's attempt to run."""

    id: str
    service_id: str
    slot: int  # 0 for global services
    node_id: str  # "" until assigned
    state: str
    desired_state: str
    created_at: str  # RFC 3339, as the Engine gives it
    updated_at: str  # Status.Timestamp
    message: str = ""
    error: str = ""
    image: str = ""
    container_id: str = ""
    ports: tuple[Port, ...] = ()
    job_iteration: int = 0
    spec_hash: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """What it fills: a slot, or (in a global service) a node."""
        return (self.slot, "") if self.slot else (0, self.node_id)


@dataclass(frozen=True, slots=True)
class Swarm:
    """Everything the managers know, at one moment."""

    nodes: tuple[Node, ...]
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]

    def node_by_id(self, node_id: str) -> Node | None:
        """The node of that id, or ``None`` when it is not (or no longer) a member."""
        return next((n for n in self.nodes if n.id == node_id), None)

    def node_by_name(self, name: str) -> Node | None:
        """The node of that hostname or id.

        A machine that left and joined again is listed twice; the live entry is meant then.
        """
        named = [n for n in self.nodes if name in (n.hostname, n.id)]
        return min(named, key=lambda n: not n.live, default=None)

    def service_by_name(self, name: str) -> Service | None:
        """The service of that name or id, or ``None``."""
        return next((s for s in self.services if name in (s.name, s.id)), None)

    def stack_services(self, stack: str) -> tuple[Service, ...]:
        """The services deployed as that stack."""
        return tuple(s for s in self.services if s.stack == stack)

    def stacks(self) -> tuple[str, ...]:
        """The names of all deployed stacks."""
        return tuple(sorted({s.stack for s in self.services if s.stack}))

    @property
    def managers(self) -> tuple[Node, ...]:
        """The nodes that are managers, whatever their state."""
        return tuple(n for n in self.nodes if n.role == "manager")

    @property
    def leader(self) -> Node | None:
        """The leading manager, or ``None`` during an election."""
        return next((n for n in self.nodes if n.leader), None)

    def tasks_of(self, service: Service) -> tuple[Task, ...]:
        """All tasks of a service, old ones included."""
        return tuple(t for t in self.tasks if t.service_id == service.id)

    def serving(self, service: Service) -> tuple[Task, ...]:
        """The tasks that really serve: running, meant to run, and on a live node.

        The service's own counter is not enough: it goes on counting the tasks of a dead node until
        their replacements are scheduled.
        """
        live = {n.id for n in self.nodes if n.live}
        return tuple(
            t
            for t in self.tasks_of(service)
            if t.state == "running" and t.desired_state == "running" and t.node_id in live
        )

    def wanted(self, service: Service) -> int:
        """How many tasks should run now; for a job, how many should have completed.

        Of a global service, one on each node of :meth:`wanted_on`.
        """
        return len(self.wanted_on(service)) if service.is_global else service.replicas

    def wanted_on(self, service: Service) -> frozenset[str]:
        """The ids of the nodes on which a global service should run now.

        Every live, active node that its constraints allow; and the paused ones that have a task,
        which keep it but get no new one (swarmkit manager/orchestrator/global/global.go).
        """
        held = {t.node_id for t in self.serving(service)}
        required = constraints.parse_all(service.constraints)
        return frozenset(
            node.id
            for node in self.nodes
            if node.live
            and node.availability != "drain"
            and (node.availability != "pause" or node.id in held)
            and all(constraint.holds(node) for constraint in required)
        )

    def running(self, service: Service) -> int:
        """How many of the wanted places are filled by a serving task.

        Not the number of serving tasks: while ``order: start-first`` replaces a task, its slot has
        two of them.
        """
        return len({t.place for t in self.serving(service)})

    def completed(self, service: Service) -> int:
        """How many tasks of the current iteration of a job have completed."""
        return len(
            {
                t.place
                for t in self.tasks_of(service)
                if t.state == "complete" and t.job_iteration == service.job_iteration
            }
        )

    def missing(self, service: Service) -> int:
        """How many wanted tasks do not serve (or, of a job, have not completed)."""
        there = self.completed(service) if service.is_job else self.running(service)
        return max(0, self.wanted(service) - there)

    def stranded(self, service: Service) -> tuple[Task, ...]:
        """The tasks that claim to run on a node that is not live: nobody can tell if they do."""
        live = {n.id for n in self.nodes if n.live}
        return tuple(
            t
            for t in self.tasks_of(service)
            if t.state == "running" and t.node_id and t.node_id not in live
        )

    @property
    def healthy(self) -> bool:
        """Whether every node is live and no replica is missing.

        Jobs are ignored: they end, they do not serve.
        """
        return all(n.live for n in self.nodes) and not any(
            self.missing(s) for s in self.services if not s.is_job
        )


def parse_swarm(
    nodes: Iterable[Mapping[str, Any]],
    services: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
) -> Swarm:
    """Build the model from the Engine API's JSON."""
    return Swarm(
        nodes=tuple(sorted(map(_node, nodes), key=lambda n: (n.role, n.hostname, n.id))),
        services=tuple(sorted(map(_service, services), key=lambda s: s.name)),
        tasks=tuple(sorted(map(_task, tasks), key=lambda t: (t.service_id, t.slot, t.created_at))),
    )


def _node(raw: Mapping[str, Any]) -> Node:
    spec, status = raw.get("Spec", {}), raw.get("Status", {})
    description = raw.get("Description", {})
    manager = raw.get("ManagerStatus") or {}
    resources = description.get("Resources", {})
    # A manager's Status.Addr may be 0.0.0.0; its Raft address is the one the others use.
    address = manager.get("Addr", "").rpartition(":")[0] or status.get("Addr", "")
    return Node(
        id=raw["ID"],
        hostname=description.get("Hostname", ""),
        role=spec.get("Role", ""),
        availability=spec.get("Availability", ""),
        state=status.get("State", ""),
        address=address,
        labels=spec.get("Labels") or {},
        leader=manager.get("Leader", False),
        reachability=manager.get("Reachability", ""),
        engine_version=description.get("Engine", {}).get("EngineVersion", ""),
        nano_cpus=resources.get("NanoCPUs", 0),
        memory_bytes=resources.get("MemoryBytes", 0),
        message=status.get("Message", ""),
        status_address=status.get("Addr", ""),
        platform_os=description.get("Platform", {}).get("OS", ""),
        platform_arch=description.get("Platform", {}).get("Architecture", ""),
        engine_labels=description.get("Engine", {}).get("Labels") or {},
        updated_at=raw.get("UpdatedAt", ""),
    )


_MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


def _service(raw: Mapping[str, Any]) -> Service:
    spec = raw["Spec"]
    template = spec.get("TaskTemplate", {})
    mode_key = next(iter(spec.get("Mode", {})), "Replicated")
    mode = spec.get("Mode", {}).get(mode_key) or {}
    update = raw.get("UpdateStatus") or {}
    default_replicas = 1 if mode_key == "Replicated" else 0
    return Service(
        id=raw["ID"],
        name=spec["Name"],
        mode=_MODES[mode_key],
        replicas=mode.get("Replicas", mode.get("TotalCompletions", default_replicas)),
        image=template.get("ContainerSpec", {}).get("Image", ""),
        version=raw.get("Version", {}).get("Index", 0),
        labels=spec.get("Labels") or {},
        constraints=tuple((template.get("Placement") or {}).get("Constraints") or ()),
        ports=_ports((spec.get("EndpointSpec") or {}).get("Ports") or ()),
        update_state=update.get("State", ""),
        update_message=update.get("Message", ""),
        update_started_at=update.get("StartedAt") or "",
        job_iteration=((raw.get("JobStatus") or {}).get("JobIteration") or {}).get("Index", 0),
        spec_hash=_spec_hash(template),
    )


def _task(raw: Mapping[str, Any]) -> Task:
    status = raw.get("Status", {})
    return Task(
        id=raw["ID"],
        service_id=raw.get("ServiceID", ""),
        slot=raw.get("Slot", 0),
        node_id=raw.get("NodeID", ""),
        state=status.get("State", ""),
        desired_state=raw.get("DesiredState", ""),
        created_at=raw.get("CreatedAt", ""),
        updated_at=status.get("Timestamp", ""),
        message=status.get("Message", ""),
        error=status.get("Err", ""),
        image=raw.get("Spec", {}).get("ContainerSpec", {}).get("Image", ""),
        container_id=(status.get("ContainerStatus") or {}).get("ContainerID", ""),
        ports=_ports((status.get("PortStatus") or {}).get("Ports") or ()),
        job_iteration=(raw.get("JobIteration") or {}).get("Index", 0),
        spec_hash=_spec_hash(raw.get("Spec", {})),
    )


def _spec_hash(task_spec: Mapping[str, Any]) -> str:
    """A digest that tells whether a task was made from a service's current spec.

    The API shows no SpecVersion of a task, so contents are compared. ``Runtime`` is only in the
    service's copy. ``Placement`` does not count: a changed constraint leaves tasks that still
    satisfy it as they are (swarmkit manager/orchestrator/task.go, IsTaskDirty).
    """
    relevant = {k: v for k, v in task_spec.items() if k not in ("Runtime", "Placement")}
    text = json.dumps(relevant, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _ports(raw: Sequence[Mapping[str, Any]]) -> tuple[Port, ...]:
    return tuple(
        Port(
            protocol=p.get("Protocol", "tcp"),
            target=p.get("TargetPort", 0),
            published=p.get("PublishedPort", 0),
            mode=p.get("PublishMode", "ingress"),
        )
        for p in raw
    )
