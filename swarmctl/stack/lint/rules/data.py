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
    """The task that replaces a lost one starts with an empty volume, without a word."""
    for service in stack.services:
        if not service.is_floating or facts.pin(service, swarm):
            continue
        for mount in service.mounts:
            if facts.is_node_local(mount, stack):
                yield Hit(mount.path, _lost(service, mount, stack), on_value=True)


def _lost(service: Service, mount: Mount, stack: Stack) -> str:
    name = f"the volume {mount.source!r}" if mount.source else f"the volume at {mount.target}"
    volume = stack.volumes.get(mount.source)
    if volume is not None and volume.external:
        return (
            f"{name} is external: on a node that has none of that name, the Engine makes an empty "
            f"local one for {service.name!r}, without a word; have a shared one on every node, or "
            "pin the service"
        )
    if service.replicas > 1:
        return (
            f"{name} is local to each node: the {service.replicas} replicas do not share it, and "
            "one that moves finds another node's, or an empty one; use a shared volume driver"
        )
    return (
        f"{name} is local to a node: when that node dies, {service.name!r} starts elsewhere with "
        "an empty one; pin the service to a node, or use a shared volume driver"
    )


@rule("SW031", "pinned-data", Severity.INFO, "pinned to its data: not moved when the node dies")
def pinned_data(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A pin keeps the data, and gives up failover."""
    for service in stack.services:
        if not service.is_floating:
            continue
        tied = facts.pin(service, swarm)
        holders = [m for m in service.mounts if facts.is_node_local(m, stack) or _is_bind(m)]
        if tied and holders:
            words = (
                f"{service.name!r} is pinned to its data by {tied!r}: it is down for as long as "
                "that node is; have a backup or a replica elsewhere"
            )
            if swarm.snapshot is None and parse(tied).names_label:
                words += " (and let only one node have the label, else it moves without its data)"
            path = service.constraints[0][1] if service.constraints else service.path
            place = next((p for text, p in service.constraints if text in tied), path)
            yield Hit(place, words)


@rule("SW032", "floating-bind", Severity.WARNING, "a bind mount needs its path on every node")
def floating_bind(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Where the path is missing the task is rejected; elsewhere it finds that node's files."""
    for service in stack.services:
        if not service.is_floating or facts.pin(service, swarm):
            continue
        for mount in service.mounts:
            if _is_bind(mount):
                words = (
                    f"{mount.source!r} must be on every node that may run {service.name!r}, else "
                    "its tasks are rejected there, and each node has its own content; use a "
                    "config, a volume or a pin"
                )
                yield Hit(mount.path, words, on_value=True)


def _is_bind(mount: Mount) -> bool:
    if mount.type != "bind" or not mount.source or facts.is_docker_socket(mount):
        return False
    path = mount.source.rstrip("/") or "/"
    return path != "/" and not any(path == p or path.startswith(f"{p}/") for p in _EVERYWHERE)


@rule("SW033", "socket-on-worker", Severity.WARNING, "docker.sock is of little use off managers")
def socket_on_worker(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A worker's Engine answers no question about the Swarm."""
    del swarm
    for service in stack.services:
        for mount in service.mounts:
            if not facts.is_docker_socket(mount) or facts.on_managers_only(service):
                continue
            words = (
                f"{service.name!r} uses the Engine's socket and may run on a worker, whose Engine "
                "does not know the Swarm"
            )
            if service.is_global:
                words += ": right for an agent that looks after its own node, and for nothing else"
                yield Hit(mount.path, words, on_value=True, severity=Severity.INFO)
            else:
                words += "; add the constraint node.role == manager"
                yield Hit(mount.path, words, on_value=True)


@rule("SW034", "socket-writable", Severity.WARNING, "docker.sock is root on the node")
def socket_writable(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Whoever speaks to the socket owns the node, and on a manager the Swarm."""
    del swarm
    for service in stack.services:
        for mount in service.mounts:
            if facts.is_docker_socket(mount) and not mount.read_only:
                words = (
                    "the Engine's socket is mounted writable: who takes over this service owns the "
                    "node; put a proxy that filters requests before it (:ro keeps the file, it "
                    "stops no request)"
                )
                yield Hit(mount.path, words, on_value=True)
