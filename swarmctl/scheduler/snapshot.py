"""What SwarmKit's scheduler looks at, read from the Engine API's own JSON.

The general model (``swarmctl.swarm.model``) leaves out what only a scheduler asks for:
reservations, plug-ins, platforms, preferences, restart policies, mounts. This module parses those,
and nothing more, into frozen data. https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from swarmctl.swarm.constraints import Constraint, parse_all
from swarmctl.swarm.model import TASK_STATES

Raw = Mapping[str, Any]
HostPort = tuple[str, int]

# TaskState in api/types.proto, in order; the scheduler compares them.
STATE = {name: place for place, name in enumerate(TASK_STATES)}
PENDING, RUNNING, COMPLETE = STATE["pending"], STATE["running"], STATE["complete"]
READY = STATE["ready"]

# Swarm's default when the policy names no delay (api/defaults/service.go).
DEFAULT_RESTART_DELAY = 5.0


class SnapshotError(ValueError):
    """A snapshot is not what the Engine API gives.

    Attributes:
        key: where, e.g. ``nodes[3].Spec``.
        expected: what should be there.
    """

    def __init__(self, key: str, expected: str, found: object) -> None:
        super().__init__(f"{key}: expected {expected}, found {_short(found)}")
        self.key = key
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Resources:
    """CPU in billionths of a core, memory in bytes, and the user's own kinds."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: tuple[tuple[str, int], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.nano_cpus or self.memory_bytes or self.generic)


@dataclass(frozen=True, slots=True)
class Node:
    """A node, with everything a filter may ask for."""

    id: str
    hostname: str
    name: str  # the hostname; with the id where several nodes have it
    role: str
    availability: str
    state: str
    address: str
    labels: Mapping[str, str]
    engine_labels: Mapping[str, str]
    status_address: str
    platform_os: str
    platform_arch: str
    total: Resources
    plugins: tuple[tuple[str, str], ...] | None  # (type, name); None: not known
    reachable: bool = False  # managers: as the other managers see it
    leader: bool = False

    @property
    def manager(self) -> bool:
        """Whether it takes part in the quorum."""
        return self.role == "manager"

    @property
    def invalid(self) -> bool:
        """Whether the orchestrators take its tasks away (orchestrator/task.go, InvalidNode)."""
        return self.state == "down" or self.availability == "drain"


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
    def stays_behind(self) -> bool:
        """Whether what it holds is on one node only."""
        return self.kind == "bind" or (self.kind == "volume" and self.driver in ("", "local"))


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the scheduler and the restart supervisor see it."""

    id: str
    name: str
    mode: str  # "Replicated", "Global", "ReplicatedJob", "GlobalJob"
    replicas: int
    constraints: tuple[Constraint, ...] = ()
    preferences: tuple[str, ...] = ()
    max_replicas: int = 0
    platforms: tuple[tuple[str, str], ...] = ()  # (os, architecture), each "" for any
    reservations: Resources = Resources()
    host_ports: frozenset[HostPort] = frozenset()
    volume_drivers: tuple[str, ...] = ()
    network_drivers: tuple[str, ...] = ()
    log_driver: str = ""
    networks: tuple[str, ...] = ()  # ids of the overlays whose addresses its tasks take
    restart: RestartPolicy = RestartPolicy()
    mounts: tuple[Mount, ...] = ()
    virtual_ips: tuple[tuple[str, str], ...] = ()  # (network id, address)
    updating: bool = False
    updated: str = ""  # RFC 3339
    template: Raw = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_global(self) -> bool:
        """Whether it has one task a node, which is never moved."""
        return self.mode.startswith("Global")

    @property
    def is_job(self) -> bool:
        """Whether its tasks are to end."""
        return self.mode.endswith("Job")


@dataclass(frozen=True, slots=True)
class Task:
    """A task; states as numbers in SwarmKit's order, so that they compare."""

    id: str
    service_id: str
    slot: int
    node_id: str
    state: int
    desired: int
    reservations: Resources
    timestamp: str
    created: str
    addresses: tuple[tuple[str, str], ...] = ()  # (network id, address)
    spec: Raw = field(default_factory=dict, compare=False, repr=False)

    @property
    def active(self) -> bool:
        """Whether the scheduler counts it (NodeInfo.ActiveTasksCount)."""
        return self.occupies and self.desired <= COMPLETE

    @property
    def occupies(self) -> bool:
        """Whether it holds resources: assigned and not over, told to shut down or not."""
        return bool(self.node_id) and PENDING < self.state <= RUNNING


@dataclass(frozen=True, slots=True)
class Network:
    """A network and its subnets."""

    id: str
    name: str
    driver: str
    subnets: tuple[str, ...] = ()
    ingress: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that decides where tasks go, at one moment."""

    nodes: tuple[Node, ...]
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    networks: tuple[Network, ...] = ()
    taken_at: str = ""  # RFC 3339; "" when the snapshot does not say

    def now(self) -> float:
        """The moment of the snapshot, in seconds since 1970; its newest task's when unsaid."""
        if self.taken_at:
            return seconds(self.taken_at)
        return max((seconds(t.timestamp) for t in self.tasks), default=0.0)

    def services_by_id(self) -> dict[str, Service]:
        """The services under their ids."""
        return {s.id: s for s in self.services}

    def tasks_by_node(self) -> dict[str, list[Task]]:
        """The tasks under the node they were assigned to."""
        found: dict[str, list[Task]] = {n.id: [] for n in self.nodes}
        for task in self.tasks:
            if task.node_id:
                found.setdefault(task.node_id, []).append(task)
        return found


def seconds(stamp: str) -> float:
    """An RFC 3339 time as seconds since 1970; 0 when it is missing or not a time."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def parse_snapshot(raw: object) -> Snapshot:
    """Read ``{"nodes": […], "services": […], "tasks": […], "networks": […]}``.

    Args:
        raw: the Engine API's JSON under these keys; ``networks`` may be missing (then nothing is
            said of addresses), and ``taken_at`` may tell the time (RFC 3339).

    Raises:
        SnapshotError: a key is missing or of another type; it says which and what is expected.
    """
    if not isinstance(raw, Mapping):
        raise SnapshotError("the snapshot", "an object with nodes, services, tasks, networks", raw)
    nodes = _named([_node(item, where) for where, item in _items(raw, "nodes")])
    networks = tuple(_networks(_items(raw, "networks", optional=True)))
    drivers = {n.id: n.driver for n in networks}
    ingress = next((n.id for n in networks if n.ingress), "")
    names = {n.name: n.id for n in networks}
    services = tuple(
        _service(item, where, drivers, names, ingress) for where, item in _items(raw, "services")
    )
    return Snapshot(
        nodes=nodes,
        services=services,
        tasks=tuple(_task(item, where) for where, item in _items(raw, "tasks")),
        networks=networks,
        taken_at=str(raw.get("taken_at") or ""),
    )


def _items(raw: Raw, key: str, *, optional: bool = False) -> Iterator[tuple[str, Raw]]:
    found = raw.get(key)
    if found is None and optional:
        return
    if not isinstance(found, list):
        raise SnapshotError(key, f"a list, as GET /{key} of the Engine API gives it", found)
    for place, item in enumerate(found):
        if not isinstance(item, Mapping):
            raise SnapshotError(f"{key}[{place}]", "an object", item)
        yield f"{key}[{place}]", item


def _within(raw: Raw, key: str, where: str) -> Raw:
    """A nested object; missing or null is empty."""
    found = raw.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise SnapshotError(f"{where}.{key}", "an object", found)
    return found


def _list(raw: Raw, key: str, where: str) -> Sequence[Any]:
    found = raw.get(key)
    if found is None:
        return ()
    if not isinstance(found, list):
        raise SnapshotError(f"{where}.{key}", "a list", found)
    return found


def _text(raw: Raw, key: str, where: str) -> str:
    found = raw.get(key)
    if not isinstance(found, str) or not found:
        raise SnapshotError(f"{where}.{key}", "a text that is not empty", found)
    return found


def _number(raw: Raw, key: str, where: str, default: int = 0) -> int:
    found = raw.get(key)
    if found is None:
        return default
    if not isinstance(found, int):
        raise SnapshotError(f"{where}.{key}", "a whole number", found)
    return found


def _short(found: object) -> str:
    if found is None:
        return "nothing"
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _node(raw: Raw, where: str) -> Node:
    spec, status = _within(raw, "Spec", where), _within(raw, "Status", where)
    description = _within(raw, "Description", where)
    engine = _within(description, "Engine", f"{where}.Description")
    platform = _within(description, "Platform", f"{where}.Description")
    manager = _within(raw, "ManagerStatus", where)
    node_id, hostname = _text(raw, "ID", where), str(description.get("Hostname") or "")
    return Node(
        id=node_id,
        hostname=hostname,
        name=hostname or node_id,
        role=_text(spec, "Role", f"{where}.Spec"),
        availability=_text(spec, "Availability", f"{where}.Spec"),
        state=_text(status, "State", f"{where}.Status"),
        address=str(status.get("Addr") or ""),
        labels=_within(spec, "Labels", f"{where}.Spec"),
        engine_labels=_within(engine, "Labels", f"{where}.Description.Engine"),
        status_address=str(status.get("Addr") or ""),
        platform_os=str(platform.get("OS") or ""),
        platform_arch=str(platform.get("Architecture") or ""),
        total=_resources(
            _within(description, "Resources", f"{where}.Description"), f"{where}.Description"
        ),
        plugins=tuple(
            (str(p.get("Type")), str(p.get("Name")))
            for p in _list(engine, "Plugins", f"{where}.Description.Engine")
        )
        if engine
        else None,
        reachable=manager.get("Reachability") == "reachable",
        leader=bool(manager.get("Leader")),
    )


def _named(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Tell nodes of one hostname apart by id; one that is alone in being up keeps the plain name.

    (A machine that left the Swarm and joined again is listed twice, the old entry as down.)
    """
    by_name: dict[str, list[Node]] = {}
    for node in nodes:
        by_name.setdefault(node.name, []).append(node)
    renamed: dict[str, str] = {}
    for name, namesakes in by_name.items():
        up = [n for n in namesakes if n.state != "down"]
        keeper = namesakes[0] if len(namesakes) == 1 else up[0] if len(up) == 1 else None
        renamed |= {n.id: name if n is keeper else f"{name} ({n.id})" for n in namesakes}
    return tuple(
        sorted((replace(n, name=renamed[n.id]) for n in nodes), key=lambda n: (n.name, n.id))
    )


def _resources(raw: Raw, where: str) -> Resources:
    return Resources(
        nano_cpus=_number(raw, "NanoCPUs", where),
        memory_bytes=_number(raw, "MemoryBytes", where),
        generic=_generic(_list(raw, "GenericResources", where)),
    )


def _generic(items: Iterable[Raw]) -> tuple[tuple[str, int], ...]:
    """Amounts by kind; a named resource counts one (api/genericresource/validate.go)."""
    amounts: dict[str, int] = {}
    for item in items:
        discrete, named = item.get("DiscreteResourceSpec"), item.get("NamedResourceSpec")
        if discrete:
            kind = str(discrete.get("Kind"))
            amounts[kind] = amounts.get(kind, 0) + int(discrete.get("Value") or 0)
        elif named:
            kind = str(named.get("Kind"))
            amounts[kind] = amounts.get(kind, 0) + 1
    return tuple(sorted(amounts.items()))


def _service(
    raw: Raw, where: str, drivers: Mapping[str, str], names: Mapping[str, str], ingress: str
) -> Service:
    spec = _within(raw, "Spec", where)
    if not spec:
        raise SnapshotError(f"{where}.Spec", "an object", raw.get("Spec"))
    template = _within(spec, "TaskTemplate", f"{where}.Spec")
    here = f"{where}.Spec.TaskTemplate"
    placement = _within(template, "Placement", here)
    container = _within(template, "ContainerSpec", here)
    mode, replicas = _mode(_within(spec, "Mode", f"{where}.Spec"), f"{where}.Spec.Mode")
    mounts = tuple(_mount(m) for m in _list(container, "Mounts", f"{here}.ContainerSpec"))
    ports = _ports(raw, spec, where)
    networks = _attached(spec, template, where, names)
    if ingress and any(p.get("PublishMode", "ingress") == "ingress" for p in ports):
        networks = (ingress, *networks)
    return Service(
        id=_text(raw, "ID", where),
        name=_text(spec, "Name", f"{where}.Spec"),
        mode=mode,
        replicas=replicas,
        constraints=parse_all(map(str, _list(placement, "Constraints", here))),
        preferences=_preferences(_list(placement, "Preferences", here)),
        max_replicas=_number(placement, "MaxReplicas", here),
        platforms=tuple(
            (str(p.get("OS") or ""), str(p.get("Architecture") or ""))
            for p in _list(placement, "Platforms", here)
        ),
        reservations=_reservations(template, here),
        host_ports=frozenset(
            (str(p.get("Protocol") or "tcp"), int(p["PublishedPort"]))
            for p in ports
            if p.get("PublishMode") == "host" and p.get("PublishedPort")
        ),
        volume_drivers=tuple(
            m.driver for m in mounts if m.kind == "volume" and m.driver not in ("", "local")
        ),
        network_drivers=tuple(sorted({drivers[n] for n in networks if drivers.get(n)})),
        log_driver=str(_within(template, "LogDriver", here).get("Name") or ""),
        networks=tuple(n for n in networks if drivers.get(n) == "overlay"),
        restart=_restart(_within(template, "RestartPolicy", here)),
        mounts=mounts,
        virtual_ips=tuple(
            (str(v.get("NetworkID")), str(v.get("Addr") or ""))
            for v in _list(_within(raw, "Endpoint", where), "VirtualIPs", f"{where}.Endpoint")
        ),
        updating=_within(raw, "UpdateStatus", where).get("State")
        in ("updating", "rollback_started"),
        updated=str(raw.get("UpdatedAt") or ""),
        template=template,
    )


def _mode(raw: Raw, where: str) -> tuple[str, int]:
    name = next(iter(raw), "Replicated")
    if name not in ("Replicated", "Global", "ReplicatedJob", "GlobalJob"):
        raise SnapshotError(where, "Replicated, Global, ReplicatedJob or GlobalJob", name)
    detail = raw.get(name) or {}
    default = 1 if name == "Replicated" else 0
    return name, _number(
        detail, "Replicas", where, _number(detail, "TotalCompletions", where, default)
    )


def _preferences(items: Iterable[Raw]) -> tuple[str, ...]:
    spreads = (item.get("Spread") for item in items)
    return tuple(str(s.get("SpreadDescriptor") or "") for s in spreads if s)


def _reservations(template: Raw, where: str) -> Resources:
    resources = template.get("Resources") or {}
    found = resources.get("Reservations")
    return _resources(found, f"{where}.Resources.Reservations") if found else _NOTHING


_NOTHING = Resources()


def _mount(raw: Raw) -> Mount:
    options = raw.get("VolumeOptions") or {}
    driver = (options.get("DriverConfig") or {}).get("Name") or ""
    return Mount(str(raw.get("Type") or "bind"), str(raw.get("Source") or ""), str(driver))


def _ports(raw: Raw, spec: Raw, where: str) -> Sequence[Raw]:
    """The ports as allocated, else as specified (only these matter for host mode: both agree)."""
    endpoint = _within(raw, "Endpoint", where)
    found = _list(endpoint, "Ports", f"{where}.Endpoint")
    return found or _list(_within(spec, "EndpointSpec", f"{where}.Spec"), "Ports", f"{where}.Spec")


def _attached(spec: Raw, template: Raw, where: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Network ids; the task template's win over the older place (allocator/network.go)."""
    items = _list(template, "Networks", f"{where}.Spec.TaskTemplate") or _list(
        spec, "Networks", f"{where}.Spec"
    )
    targets = (str(item.get("Target") or "") for item in items)
    return tuple(names.get(target, target) for target in targets)


def _restart(raw: Raw) -> RestartPolicy:
    delay = raw.get("Delay")
    return RestartPolicy(
        condition=str(raw.get("Condition") or "any"),
        max_attempts=int(raw.get("MaxAttempts") or 0),
        window=int(raw.get("Window") or 0) / 1e9,
        delay=DEFAULT_RESTART_DELAY if delay is None else int(delay) / 1e9,
    )


def _task(raw: Raw, where: str) -> Task:
    status, spec = _within(raw, "Status", where), _within(raw, "Spec", where)
    return Task(
        id=_text(raw, "ID", where),
        service_id=str(raw.get("ServiceID") or ""),
        slot=raw.get("Slot") or 0,
        node_id=str(raw.get("NodeID") or ""),
        state=_state(status, "State", f"{where}.Status"),
        desired=_state(raw, "DesiredState", where),
        reservations=_reservations(spec, f"{where}.Spec"),
        timestamp=str(status.get("Timestamp") or ""),
        created=str(raw.get("CreatedAt") or ""),
        addresses=_addresses(raw.get("NetworksAttachments")),
        spec=spec,
    )


def _state(raw: Raw, key: str, where: str) -> int:
    try:
        return STATE[raw[key]]
    except (KeyError, TypeError):
        found = raw.get(key)
        raise SnapshotError(f"{where}.{key}", f"one of {', '.join(STATE)}", found) from None


def _addresses(attachments: Any) -> tuple[tuple[str, str], ...]:
    if not attachments:
        return ()
    return tuple(
        ((a.get("Network") or {}).get("ID") or "", address)
        for a in attachments
        for address in a.get("Addresses") or ()
    )


def _networks(items: Iterable[tuple[str, Raw]]) -> Iterator[Network]:
    for where, raw in items:
        config = _list(_within(raw, "IPAM", where), "Config", f"{where}.IPAM")
        yield Network(
            id=_text(raw, "Id" if "Id" in raw else "ID", where),
            name=str(raw.get("Name") or ""),
            driver=str(raw.get("Driver") or ""),
            subnets=tuple(str(c["Subnet"]) for c in config if c.get("Subnet")),
            ingress=bool(raw.get("Ingress")),
        )
