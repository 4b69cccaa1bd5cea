"""What several rules need to know of a service: its constraints, volumes, and running namesakes."""

from __future__ import annotations

from swarmctl.stack.compose.view import Definition, Mount, Service, Stack
from swarmctl.stack.lint.rule import Context
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.stack.render.spare_managers import kept_off_managers
from swarmctl.swarm.constraints import Constraint, parse, parse_all
from swarmctl.swarm.model import Service as RunningService
from swarmctl.swarm.node import Node

_PINS = ("node.hostname", "node.id", "node.ip")


def pin(service: Service, swarm: Context) -> str:
    """The constraint that ties a service to one node, or ``""``.

    With a snapshot, the eligible nodes are counted. Without one, a constraint on a hostname, id or
    address counts; so does one on a label if a single replica is wanted (with several, probably
    several nodes have the label).
    """
    texts = [text for text, _ in service.constraints]
    if swarm.snapshot is None:
        return next((text for text in texts if _ties(parse(text), service.replicas)), "")
    return ", ".join(texts) if len(eligible(service, swarm.snapshot)) <= 1 else ""


def constraints(service: Service) -> tuple[Constraint, ...]:
    """The service's constraints; none if one is malformed, as SwarmKit then ignores them all."""
    return parse_all(text for text, _ in service.constraints)


def eligible(service: Service, snapshot: Snapshot) -> tuple[Node, ...]:
    """The nodes that may get tasks and satisfy all of the service's constraints."""
    required = constraints(service)
    found = tuple(node for node in snapshot.nodes if all(c.holds(node) for c in required))
    return tuple(n for n in found if not n.manager) if kept_off(service, snapshot) else found


def kept_off(service: Service, snapshot: Snapshot) -> bool:
    """Whether a deploy keeps a service off the managers."""
    texts = (text for text, _ in service.constraints)
    return not service.is_global and kept_off_managers(texts, snapshot.swarm.nodes)


def _ties(constraint: Constraint, replicas: int) -> bool:
    by_label = constraint.names_label and replicas <= 1
    return constraint.equal and (constraint.key.lower() in _PINS or by_label)


def on_managers_only(service: Service) -> bool:
    """Whether the constraints keep a service on managers."""
    return any(
        c.key.lower() == "node.role" and c.value.lower() == ("manager" if c.equal else "worker")
        for c in constraints(service)
    )


def names_role(service: Service) -> bool:
    """Whether any constraint is about the node's role."""
    return any(c.key.lower() == "node.role" for c in constraints(service))


_SHARED_TYPES = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse", "lustre")


def is_node_local(mount: Mount, stack: Stack) -> bool:
    """Whether a volume's content stays on its node when the task moves."""
    if mount.type != "volume":
        return False
    if not mount.source:
        return True
    volume = stack.volumes.get(mount.source)
    return volume is None or _is_local(volume)


def _is_local(volume: Definition) -> bool:
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
    """The name of the stack that the file seems to be deployed as, or ``""``.

    A compose file has no stack name, so it is guessed: the running stack with most service names
    in common, at least half of the file's.
    """
    ours = {service.name for service in stack.services}
    best, most = "", 0
    for name in snapshot.swarm.stacks():
        theirs = {s.name.removeprefix(f"{name}_") for s in snapshot.swarm.stack_services(name)}
        shared = len(ours & theirs)
        if shared > most and 2 * shared >= len(ours):
            best, most = name, shared
    return best
