"""A Swarm as plain, frozen data: no I/O, no clock.

The one model of nodes, services and tasks, for status, deploys, experiments, lint and the scheduler
alike. :mod:`swarmctl.swarm.parse` builds it from the Engine API's JSON, so that a stored snapshot
and a live Swarm are the same thing. https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.constraints import Constraint
from swarmctl.swarm.node import NO_RESOURCES, Node, Resources

STACK_LABEL = "com.docker.stack.namespace"
# A service's label (deploy.labels) with the path to probe: one that goes through all its parts, not
# just a static page.
PROBE_PATH_LABEL = "swarmctl.probe.path"
# With the value "tcp": what it publishes does not speak HTTP, so an accepted connection is enough.
PROBE_LABEL = "swarmctl.probe"

# Task states in the order a task goes through them (swarmkit api/types.proto, TaskState).
TASK_STATES = (
    "new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running",
    "complete", "shutdown", "failed", "rejected", "remove", "orphaned",
)  # fmt: skip
_TO_PENDING, _TO_RUNNING, _TO_COMPLETE = (
    frozenset(TASK_STATES[: TASK_STATES.index(last) + 1])
    for last in ("pending", "running", "complete")
)

# Swarm's default when a restart policy names no delay (api/defaults/service.go).
DEFAULT_RESTART_DELAY = 5.0

# Swarm's default for update_config.monitor, in seconds (daemon/cluster/convert, defaults).
DEFAULT_UPDATE_MONITOR = 5.0

_ENGINE_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")

# (protocol, published port)
HostPort = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Port:
    """A published port: ``published`` is 0 until a dynamic host port has been given out."""

    protocol: str
    target: int
    published: int
    mode: str  # "ingress" or "host"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a task is replaced; times in seconds."""

    condition: str = "any"
    max_attempts: int = 0
    window: float = 0.0
    delay: float = DEFAULT_RESTART_DELAY


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount of a task's container."""

    kind: str  # "volume", "bind", "tmpfs", "cluster" …
    source: str
    driver: str = ""

    @property
    def engine_socket(self) -> bool:
        """Whether it is the Engine's socket, which every node has."""
        return self.kind == "bind" and self.source in _ENGINE_SOCKETS

    @property
    def stays_behind(self) -> bool:
        """Whether what it holds is on one node only."""
        if self.kind == "bind":
            return not self.engine_socket
        return self.kind == "volume" and self.driver in ("", "local")


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
    ports: tuple[Port, ...] = ()
    update_state: str = ""  # UpdateStatus.State, "" when the service was never updated
    update_message: str = ""
    update_started_at: str = ""  # RFC 3339
    updated_at: str = ""  # RFC 3339
    created_at: str = ""  # RFC 3339
    job_iteration: int = 0
    constraints: tuple[Constraint, ...] = ()
    preferences: tuple[str, ...] = ()  # spread descriptors
    max_replicas: int = 0  # a node; 0: no limit
    platforms: tuple[tuple[str, str], ...] = ()  # (os, architecture), each "" for any
    reservations: Resources = NO_RESOURCES
    host_ports: frozenset[HostPort] = frozenset()
    volume_drivers: tuple[str, ...] = ()
    network_drivers: tuple[str, ...] = ()
    log_driver: str = ""
    networks: tuple[str, ...] = ()  # ids of the overlays whose addresses its tasks take
    restart: RestartPolicy = RestartPolicy()
    update_monitor: float = DEFAULT_UPDATE_MONITOR  # seconds a new task must outlive
    mounts: tuple[Mount, ...] = ()
    virtual_ips: tuple[tuple[str, str], ...] = ()  # (network id, address)
    task_spec: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

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

    @property
    def probe_path(self) -> str:
        """The HTTP path that probes request: its label's, or ``/``; ``""``: they only connect."""
        if self.labels.get(PROBE_LABEL) == "tcp":
            return ""
        return "/" + self.labels.get(PROBE_PATH_LABEL, "").lstrip("/")

    def is_current(self, task: Task) -> bool:
        """Whether a task need not be replaced to be of the service's current spec.

        ``Placement`` is ignored: a changed constraint leaves tasks that still satisfy it as they
        are (swarmkit manager/orchestrator/task.go, IsTaskDirty).
        """
        return same_spec(task.spec, self.task_spec, ignoring=("Runtime", "Placement"))


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
    reservations: Resources = NO_RESOURCES
    addresses: tuple[tuple[str, str], ...] = ()  # (network id, address)
    spec: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def place(self) -> tuple[int, str]:
        """What it fills: a slot, or (in a global service) a node."""
        return (self.slot, "") if self.slot else (0, self.node_id)

    @property
    def ended(self) -> bool:
        """Whether it does not run any more."""
        return self.state not in _TO_RUNNING

    @property
    def meant_to_run(self) -> bool:
        """Whether the orchestrator counts it as a replica."""
        return self.desired_state in _TO_RUNNING

    @property
    def meant_to_finish(self) -> bool:
        """Whether it is to run, or (of a job) to complete: it was not told to stop."""
        return self.desired_state in _TO_COMPLETE

    @property
    def unscheduled(self) -> bool:
        """Whether the scheduler has not let it go to a node yet."""
        return self.state in _TO_PENDING

    @property
    def occupies(self) -> bool:
        """Whether it holds resources: assigned and not ended, told to shut down or not."""
        return bool(self.node_id) and not self.ended and not self.unscheduled

    @property
    def active(self) -> bool:
        """Whether the scheduler counts it (NodeInfo.ActiveTasksCount)."""
        return self.occupies and self.meant_to_finish


def same_spec(
    one: Mapping[str, Any], other: Mapping[str, Any], *, ignoring: Collection[str] = ("Runtime",)
) -> bool:
    """Whether two task specs are of one version of their service.

    The API does not show a task's SpecVersion, so contents are compared. ``Runtime`` is ignored
    because the Engine adds it to the service's copy alone.
    """
    return one == other or all(
        one.get(key) == other.get(key) for key in {*one, *other}.difference(ignoring)
    )


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the whole Swarm and its subnets."""

    id: str
    name: str
    driver: str
    subnets: tuple[str, ...] = ()
    ingress: bool = False


@dataclass(frozen=True, slots=True)
class Swarm:
    """Everything the managers know, at one moment."""

    nodes: tuple[Node, ...]
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    networks: tuple[Network, ...] = ()
    taken_at: str = ""  # RFC 3339; "" when the snapshot does not say

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
        return tuple(n for n in self.nodes if n.manager)

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
        return frozenset(
            node.id
            for node in self.nodes
            if node.live
            and node.availability != "drain"
            and (node.availability != "pause" or node.id in held)
            and all(constraint.holds(node) for constraint in service.constraints)
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

    @property
    def healthy(self) -> bool:
        """Whether every node is live and no replica is missing.

        Jobs are ignored: they end, they do not serve.
        """
        return all(n.live for n in self.nodes) and not any(
            self.missing(s) for s in self.services if not s.is_job
        )
