"""SW030 to SW034: data that stays on a dead node, and the Engine's socket."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.view import Mount, Service, Stack
from swarmctl.stack.lint import facts
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule
from swarmctl.swarm.constraints import parse

# Paths that every Linux node has by itself.
_EVERYWHERE = (
    "/dev", "/proc", "/sys", "/run", "/var/run", "/lib/modules", "/var/log", "/etc/localtime",
    "/etc/timezone", "/etc/hostname", "/etc/hosts", "/etc/os-release", "/etc/machine-id",
    "/etc/passwd", "/etc/group", "/etc/ssl", "/etc/ca-certificates", "/usr/share/zoneinfo",
    "/var/lib/docker",
)  # fmt: skip


@rule("SW030", "floating-volume", Severity.WARNING, "a node-local volume is lost on relocation")
def floating_volume(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """The task that replaces a lost one starts with an empty volume, and no error tells."""
    for service in stack.services:
        if service.is_global or facts.pin(service, swarm):
            continue
        for mount in service.mounts:
            if facts.is_node_local(mount, stack):
                yield Hit(mount.path, _lost(service, mount, stack), on_value=True)


def _lost(service: Service, mount: Mount, stack: Stack) -> str:
    name = f"the volume {mount.source!r}" if mount.source else f"the volume at {mount.target}"
    volume = stack.volumes.get(mount.source)
    if volume is not None and volume.external:
        return (
            f"{name} is external: on a node without it, the Engine silently creates an empty local "
            f"one for {service.name!r}; create a shared one on every node, or pin the service"
        )
    if service.replicas > 1:
        return (
            f"{name} is local to each node: the {service.replicas} replicas do not share it, and a "
            "replica that moves gets another node's or an empty one; use a shared volume driver"
        )
    return (
        f"{name} is local to a node: if the node dies, {service.name!r} restarts elsewhere with an "
        "empty one; pin the service to a node, or use a shared volume driver"
    )


@rule("SW031", "pinned-data", Severity.INFO, "pinned to its data: not moved when the node dies")
def pinned_data(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A pin keeps the data, and gives up failover."""
    for service in stack.services:
        if service.is_global:
            continue
        tied = facts.pin(service, swarm)
        holders = [m for m in service.mounts if facts.is_node_local(m, stack) or _is_bind(m)]
        if tied and holders:
            words = (
                f"{service.name!r} is pinned to its data by {tied!r}: it is down while that node "
                "is down; keep a backup or a replica elsewhere"
            )
            if swarm.snapshot is None and parse(tied).names_label:
                words += " (give the label to only one node, or the service moves without its data)"
            path = service.constraints[0][1] if service.constraints else service.path
            place = next((p for text, p in service.constraints if text in tied), path)
            yield Hit(place, words)


@rule("SW032", "floating-bind", Severity.WARNING, "a bind mount needs its path on every node")
def floating_bind(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Where the path is missing the task is rejected; elsewhere it finds that node's files."""
    for service in stack.services:
        if service.is_global or facts.pin(service, swarm):
            continue
        for mount in service.mounts:
            if _is_bind(mount):
                words = (
                    f"{mount.source!r} must exist on every node that may run {service.name!r}: "
                    "tasks are rejected where it is missing, and its content differs per node; use "
                    "a config or a volume, or pin the service"
                )
                yield Hit(mount.path, words, on_value=True)


def _is_bind(mount: Mount) -> bool:
    if mount.type != "bind" or not mount.source or facts.is_docker_socket(mount):
        return False
    path = mount.source.rstrip("/") or "/"
    return path != "/" and not any(path == p or path.startswith(f"{p}/") for p in _EVERYWHERE)


@rule(
    "SW033", "socket-on-worker", Severity.WARNING, "docker.sock on a worker does not show the Swarm"
)
def socket_on_worker(stack: Stack, _: Context) -> Iterator[Hit]:
    """A worker's Engine refuses requests about the Swarm."""
    for service in stack.services:
        for mount in service.mounts:
            if not facts.is_docker_socket(mount) or facts.on_managers_only(service):
                continue
            words = (
                f"{service.name!r} mounts the Engine's socket and may run on a worker, whose "
                "Engine refuses Swarm requests"
            )
            if service.is_global:
                words += ": correct only for an agent that manages its own node"
                yield Hit(mount.path, words, on_value=True, severity=Severity.INFO)
            else:
                words += "; add the constraint node.role == manager"
                yield Hit(mount.path, words, on_value=True)


@rule("SW034", "socket-writable", Severity.WARNING, "docker.sock is root on the node")
def socket_writable(stack: Stack, _: Context) -> Iterator[Hit]:
    """Access to the socket is root on the node, and on a manager control of the Swarm."""
    for service in stack.services:
        for mount in service.mounts:
            if facts.is_docker_socket(mount) and not mount.read_only:
                words = (
                    "the Engine's socket is mounted: control of this service is root on the node; "
                    "put a filtering proxy in front of it (:ro protects the file only, it stops no "
                    "request)"
                )
                yield Hit(mount.path, words, on_value=True)
