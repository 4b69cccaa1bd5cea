"""The Engine API's JSON as the model: live answers and snapshot files alike.

A missing or null object is empty; anything else that is not as the Engine writes it is an error
that names the key, such as ``nodes[3].Spec: expected an object, found 7``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import clean
from swarmctl.swarm.constraints import parse_all
from swarmctl.swarm.model import (
    DEFAULT_RESTART_DELAY,
    DEFAULT_UPDATE_MONITOR,
    TASK_STATES,
    Mount,
    Network,
    Port,
    RestartPolicy,
    Service,
    Swarm,
    Task,
)
from swarmctl.swarm.node import Node, Resources

FORM = (
    'expected is {"nodes": […], "services": […], "tasks": […], "networks": […]}, '
    "as `swarmctl snapshot -o FILE` writes it"
)

T = TypeVar("T")

_MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}
_STATES = frozenset(TASK_STATES)
_NO_RESOURCES = Resources()


class SnapshotError(SwarmctlError):
    """A snapshot is not what the Engine API gives; the message begins with the key."""

    def __init__(self, key: str, expected: str, found: object) -> None:
        text = "nothing" if found is None else repr(found)
        text = text if len(text) <= 60 else f"{text[:57]}…"
        super().__init__(f"{key}: expected {expected}, found {text}", FORM)


def parse_swarm(raw: object) -> Swarm:
    """The model of a snapshot.

    Args:
        raw: the Engine API's lists under ``nodes``, ``services``, ``tasks`` and ``networks``;
            ``networks`` may be missing (then nothing is known of drivers and addresses),
            ``taken_at`` may tell the time (RFC 3339), and ``images`` the names of the images on
            each node that was asked, by the node's id.

    Raises:
        SnapshotError: a key is missing or of another type; says which and what is expected.
    """
    if not isinstance(raw, Mapping):
        raise SnapshotError("the snapshot", "an object with nodes, services, tasks, networks", raw)
    images = _Object(raw.get("images") or {}, "images")
    nodes = _named([_node(item, images) for item in _entries(raw, "nodes")])
    networks = tuple(map(_network, _entries(raw, "networks"))) if raw.get("networks") else ()
    services = [_service(item, networks) for item in _entries(raw, "services")]
    tasks = [_task(item) for item in _entries(raw, "tasks")]
    return Swarm(
        nodes=tuple(sorted(nodes, key=lambda n: (n.role, n.hostname, n.id))),
        services=tuple(sorted(services, key=lambda s: s.name)),
        tasks=tuple(sorted(tasks, key=lambda t: (t.service_id, t.slot, t.created_at))),
        networks=networks,
        taken_at=str(raw.get("taken_at") or ""),
    )


class _Object:
    """An object of the Engine's JSON, with its place for error messages."""

    __slots__ = ("_key", "_parent", "raw")

    def __init__(self, raw: Any, key: str, parent: _Object | None = None) -> None:
        self.raw: dict[str, Any] = raw
        self._key = key
        self._parent = parent
        if not isinstance(raw, dict):  # JSON; a check for any Mapping takes three times as long
            raise SnapshotError(self.where, "an object", raw)

    @property
    def where(self) -> str:
        """Its key, from the top."""
        return f"{self._parent.where}.{self._key}" if self._parent else self._key

    def within(self, key: str) -> _Object:
        """A nested object."""
        found = self.raw.get(key)
        return _Object({} if found is None else found, key, self)

    def objects(self, key: str) -> list[_Object]:
        """A nested list of objects."""
        found = self._list(key)
        return [_Object(item, f"{key}[{n}]", self) for n, item in enumerate(found)] if found else []

    def texts(self, key: str) -> list[str]:
        """A nested list of texts."""
        return [_checked(item, str, "a text", self, key) for item in self._list(key)]

    def labels(self, key: str) -> Mapping[str, str]:
        """A nested object of texts."""
        found = self.within(key)
        return {name: found.text(name) for name in found.raw}

    def text(self, key: str) -> str:
        """A text, ``""`` when it is missing.

        Nodes and containers choose some of them, such as hostnames and errors: what a terminal
        would obey is left out.
        """
        found = self.raw.get(key)
        if isinstance(found, str):
            return found if found.isprintable() else clean(found)  # almost all are
        return "" if found is None else _checked(found, str, "a text", self, key)

    def required(self, key: str) -> str:
        """A text that must not be missing or empty."""
        return _checked(self.raw.get(key) or None, str, "a text that is not empty", self, key)

    def number(self, key: str, default: int = 0) -> int:
        """A whole number."""
        found = self.raw.get(key)
        return default if found is None else _checked(found, int, "a whole number", self, key)

    def _list(self, key: str) -> Sequence[Any]:
        found = self.raw.get(key)
        return [] if found is None else _checked(found, list, "a list", self, key)


def _checked(found: object, kind: type[T], expected: str, parent: _Object, key: str) -> T:
    if not isinstance(found, kind):
        raise SnapshotError(f"{parent.where}.{key}", expected, found)
    return found


def _entries(raw: Mapping[str, Any], key: str) -> list[_Object]:
    found = raw.get(key)
    if not isinstance(found, list):
        raise SnapshotError(key, f"a list, as GET /{key} of the Engine API gives it", found)
    return [_Object(item, f"{key}[{place}]") for place, item in enumerate(found)]


def _node(raw: _Object, images: _Object) -> Node:
    spec, status, manager = raw.within("Spec"), raw.within("Status"), raw.within("ManagerStatus")
    description = raw.within("Description")
    engine, platform = description.within("Engine"), description.within("Platform")
    plugins = [(p.text("Type"), p.text("Name")) for p in engine.objects("Plugins")]
    return Node(
        id=raw.required("ID"),
        hostname=description.text("Hostname"),
        role=spec.required("Role"),
        availability=spec.required("Availability"),
        state=status.required("State"),
        # A manager's Status.Addr may be 0.0.0.0; its Raft address is the one the others use.
        address=manager.text("Addr").rpartition(":")[0] or status.text("Addr"),
        labels=spec.labels("Labels"),
        leader=bool(manager.raw.get("Leader")),
        reachability=manager.text("Reachability"),
        engine_version=engine.text("EngineVersion"),
        resources=_resources(description.within("Resources")),
        plugins=tuple(plugins) if engine.raw else None,
        message=status.text("Message"),
        status_address=status.text("Addr"),
        platform_os=platform.text("OS"),
        platform_arch=platform.text("Architecture"),
        engine_labels=engine.labels("Labels"),
        updated_at=raw.text("UpdatedAt"),
        images=frozenset(images.texts(id_)) if (id_ := raw.required("ID")) in images.raw else None,
    )


def _named(nodes: Sequence[Node]) -> list[Node]:
    """Unique names: the hostname, with the id added where several nodes have it.

    A machine that left the Swarm and joined again is listed twice, the old entry as down; the only
    entry that is up keeps the plain hostname.
    """
    by_name: dict[str, list[Node]] = {}
    for node in nodes:
        by_name.setdefault(node.hostname or node.id, []).append(node)
    named = []
    for name, namesakes in by_name.items():
        up = [n for n in namesakes if n.state != "down"]
        keeper = namesakes[0] if len(namesakes) == 1 else up[0] if len(up) == 1 else None
        named += [replace(n, name=name if n is keeper else f"{name} ({n.id})") for n in namesakes]
    return named


def _resources(raw: _Object) -> Resources:
    if not raw.raw:
        return _NO_RESOURCES
    return Resources(
        nano_cpus=raw.number("NanoCPUs"),
        memory_bytes=raw.number("MemoryBytes"),
        generic=_generic(raw.objects("GenericResources")),
    )


def _generic(items: Iterable[_Object]) -> tuple[tuple[str, int], ...]:
    """Amounts by kind; a named resource counts one (api/genericresource/validate.go)."""
    amounts: dict[str, int] = {}
    for item in items:
        discrete, named = item.within("DiscreteResourceSpec"), item.within("NamedResourceSpec")
        if discrete.raw or named.raw:
            kind = (discrete if discrete.raw else named).text("Kind")
            amount = discrete.number("Value") if discrete.raw else 1
            amounts[kind] = amounts.get(kind, 0) + amount
    return tuple(sorted(amounts.items()))


def _reservations(task_spec: _Object) -> Resources:
    return _resources(task_spec.within("Resources").within("Reservations"))


def _service(raw: _Object, networks: Sequence[Network]) -> Service:
    spec = raw.within("Spec")
    if not spec.raw:
        raise SnapshotError(spec.where, "an object", raw.raw.get("Spec"))
    task_spec, update, endpoint = (
        spec.within("TaskTemplate"), raw.within("UpdateStatus"), raw.within("Endpoint"),
    )  # fmt: skip
    placement, container = task_spec.within("Placement"), task_spec.within("ContainerSpec")
    mode, replicas = _mode(spec.within("Mode"))
    mounts = tuple(_mount(mount) for mount in container.objects("Mounts"))
    ports = _ports(spec.within("EndpointSpec"))
    allocated = _ports(endpoint) or ports
    attached = _attached(spec, task_spec, allocated, networks)
    drivers = {network.id: network.driver for network in networks}
    return Service(
        id=raw.required("ID"),
        name=spec.required("Name"),
        mode=mode,
        replicas=replicas,
        image=container.text("Image"),
        version=raw.within("Version").number("Index"),
        labels=spec.labels("Labels"),
        ports=ports,
        update_state=update.text("State"),
        update_message=update.text("Message"),
        update_started_at=update.text("StartedAt"),
        updated_at=raw.text("UpdatedAt"),
        created_at=raw.text("CreatedAt"),
        job_iteration=raw.within("JobStatus").within("JobIteration").number("Index"),
        constraints=parse_all(placement.texts("Constraints")),
        preferences=tuple(
            preference.within("Spread").text("SpreadDescriptor")
            for preference in placement.objects("Preferences")
            if preference.raw.get("Spread")
        ),
        max_replicas=placement.number("MaxReplicas"),
        platforms=tuple(
            (platform.text("OS"), platform.text("Architecture"))
            for platform in placement.objects("Platforms")
        ),
        reservations=_reservations(task_spec),
        host_ports=frozenset(
            (port.protocol, port.published)
            for port in allocated
            if port.mode == "host" and port.published
        ),
        volume_drivers=tuple(
            m.driver for m in mounts if m.kind == "volume" and m.driver not in ("", "local")
        ),
        network_drivers=tuple(sorted({drivers[n] for n in attached if drivers.get(n)})),
        log_driver=task_spec.within("LogDriver").text("Name"),
        networks=tuple(n for n in attached if drivers.get(n) == "overlay"),
        restart=_restart(task_spec.within("RestartPolicy")),
        update_monitor=_monitor(spec.within("UpdateConfig")),
        mounts=mounts,
        virtual_ips=tuple(
            (address.text("NetworkID"), address.text("Addr"))
            for address in endpoint.objects("VirtualIPs")
        ),
        task_spec=task_spec.raw,
    )


def _mode(raw: _Object) -> tuple[str, int]:
    name = next(iter(raw.raw), "Replicated")
    if name not in _MODES:
        raise SnapshotError(raw.where, f"one of {', '.join(_MODES)}", name)
    detail = raw.within(name)
    default = 1 if name == "Replicated" else 0
    return _MODES[name], detail.number("Replicas", detail.number("TotalCompletions", default))


def _mount(raw: _Object) -> Mount:
    driver = raw.within("VolumeOptions").within("DriverConfig").text("Name")
    return Mount(raw.text("Type") or "bind", raw.text("Source"), driver)


def _ports(raw: _Object) -> tuple[Port, ...]:
    if not raw.raw.get("Ports"):
        return ()
    return tuple(
        Port(
            protocol=port.text("Protocol") or "tcp",
            target=port.number("TargetPort"),
            published=port.number("PublishedPort"),
            mode=port.text("PublishMode") or "ingress",
        )
        for port in raw.objects("Ports")
    )


def _attached(
    spec: _Object, task_spec: _Object, ports: Iterable[Port], networks: Iterable[Network]
) -> tuple[str, ...]:
    """Network ids; the task template's win over the older place (allocator/network.go)."""
    ids = {network.name: network.id for network in networks}
    ingress = [network.id for network in networks if network.ingress][:1]
    items = task_spec.objects("Networks") or spec.objects("Networks")
    targets = [ids.get(item.text("Target"), item.text("Target")) for item in items]
    return (*(ingress if any(port.mode == "ingress" for port in ports) else ()), *targets)


def _monitor(raw: _Object) -> float:
    return raw.number("Monitor", int(DEFAULT_UPDATE_MONITOR * 1e9)) / 1e9


def _restart(raw: _Object) -> RestartPolicy:
    return RestartPolicy(
        condition=raw.text("Condition") or "any",
        max_attempts=raw.number("MaxAttempts"),
        window=raw.number("Window") / 1e9,
        delay=raw.number("Delay", int(DEFAULT_RESTART_DELAY * 1e9)) / 1e9,
    )


def _task(raw: _Object) -> Task:
    status, spec = raw.within("Status"), raw.within("Spec")
    return Task(
        id=raw.required("ID"),
        service_id=raw.text("ServiceID"),
        slot=raw.number("Slot"),
        node_id=raw.text("NodeID"),
        state=_state(status, "State"),
        desired_state=_state(raw, "DesiredState"),
        created_at=raw.text("CreatedAt"),
        updated_at=status.text("Timestamp"),
        message=status.text("Message"),
        error=status.text("Err"),
        image=spec.within("ContainerSpec").text("Image"),
        container_id=status.within("ContainerStatus").text("ContainerID"),
        ports=_ports(status.within("PortStatus")),
        job_iteration=raw.within("JobIteration").number("Index"),
        reservations=_reservations(spec),
        addresses=tuple(
            (attachment.within("Network").text("ID"), address)
            for attachment in raw.objects("NetworksAttachments")
            for address in attachment.texts("Addresses")
        ),
        spec=spec.raw,
    )


def _state(raw: _Object, key: str) -> str:
    found = raw.raw.get(key)
    if not isinstance(found, str) or found not in _STATES:
        expected = f"one of {', '.join(TASK_STATES)}"
        raise SnapshotError(f"{raw.where}.{key}", expected, found)
    return found


def _network(raw: _Object) -> Network:
    config = raw.within("IPAM").objects("Config")
    return Network(
        id=raw.required("Id" if "Id" in raw.raw else "ID"),
        name=raw.text("Name"),
        driver=raw.text("Driver"),
        subnets=tuple(c.text("Subnet") for c in config if c.text("Subnet")),
        ingress=bool(raw.raw.get("Ingress")),
    )
