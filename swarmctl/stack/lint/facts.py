"""What several rules ask of a service: where it is pinned, whose volumes it has, who else runs."""

from __future__ import annotations

from swarmctl.stack.compose.view import Mount, Service, Stack, Thing
from swarmctl.stack.lint.rule import Context
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.swarm.constraints import Constraint, parse
from swarmctl.swarm.model import Service as RunningService

_PINS = ("node.hostname", "node.id", "node.ip")


def pin(service: Service, swarm: Context) -> str:
    """The constraint that ties a service to one node, or ``""``.

    Without a snapshot a label counts as such a tie, unless several replicas are wanted: then there
    are probably several nodes with that label. With a snapshot, the nodes are counted.
    """
    texts = [text for text, _ in service.constraints]
    ties = [text for text in texts if _ties(parse(text), service.replicas)]
    if swarm.snapshot is None:
        return next(iter(ties), "")
    alone = len(swarm.snapshot.eligible(texts)) <= 1
    return ", ".join(texts) if alone and texts else ""


def _ties(constraint: Constraint, replicas: int) -> bool:
    by_label = constraint.names_label and replicas <= 1
    return constraint.equal and (constraint.key.lower() in _PINS or by_label)


def on_managers_only(service: Service) -> bool:
    """Whether the constraints keep a service on managers."""
    return any(
        c.key.lower() == "node.role" and c.value.lower() == ("manager" if c.equal else "worker")
        for c in _constraints(service)
    )


def names_role(service: Service) -> bool:
    """Whether any constraint is about the node's role."""
    return any(c.key.lower() == "node.role" for c in _constraints(service))


def _constraints(service: Service) -> list[Constraint]:
    return [parse(text) for text, _ in service.constraints]


_SHARED_TYPES = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse", "lustre")


def is_node_local(mount: Mount, stack: Stack) -> bool:
    """Whether a volume's content stays behind when its task moves."""
    if mount.type != "volume":
        return False
    if not mount.source:
        return True
    volume = stack.volumes.get(mount.source)
    return volume is None or _is_local(volume)


def _is_local(volume: Thing) -> bool:
    if volume.driver not in ("", "local") or volume.get("x-cluster-spec") is not None:
        return False
    kind = volume.options.get("type", "").lower()
    shared = kind in _SHARED_TYPES or kind == "tmpfs" or "addr=" in volume.options.get("o", "")
    return not shared


def is_docker_socket(mount: Mount) -> bool:
    """Whether a mount gives access to the Engine."""
    return mount.source.rstrip("/").endswith("docker.sock")


def foreign_services(stack: Stack, snapshot: Snapshot) -> tuple[RunningService, ...]:
    """The running services that are not an earlier deployment of this very file."""
    own = own_stack(stack, snapshot)
    return tuple(s for s in snapshot.swarm.services if not own or s.stack != own)


def own_stack(stack: Stack, snapshot: Snapshot) -> str:
    """The name under which the file seems to be deployed, or ``""``.

    A compose file does not know its stack's name: it is the running stack that shares most names
    of services with it, at least half of them.
    """
    ours = {service.name for service in stack.services}
    best, most = "", 0
    for name in snapshot.swarm.stacks():
        theirs = {s.name.removeprefix(f"{name}_") for s in snapshot.swarm.stack_services(name)}
        shared = len(ours & theirs)
        if shared > most and 2 * shared >= len(ours):
            best, most = name, shared
    return best
