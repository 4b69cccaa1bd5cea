"""What several rules ask of a service: where it is pinned, whose volumes it has, who else runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmctl.stack.compose.view import Mount, Service, Stack, Thing
from swarmctl.stack.lint.rule import Context
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.swarm.model import Service as RunningService

_KEY = re.compile(r"[a-z_][a-z0-9\-_.]+\Z", re.ASCII | re.IGNORECASE)
_VALUE = re.compile(r"[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+\Z", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A placement constraint taken apart; ``problem`` says why SwarmKit would refuse it."""

    key: str
    operator: str
    value: str
    problem: str = ""


def constraint(text: str) -> Constraint:
    """Read a constraint as SwarmKit does (manager/constraint/constraint.go, Parse)."""
    for operator in ("==", "!="):
        key, found, value = text.partition(operator)
        if not found:
            continue
        key, value = key.strip(), value.strip()
        problem = ""
        if not _KEY.match(key):
            problem = f"the key {key!r} is invalid"
        elif not _VALUE.match(value):
            problem = f"the value {value!r} is invalid"
        return Constraint(key, operator, value, problem)
    return Constraint("", "", "", "it has neither == nor !=")


_PINS = ("node.hostname", "node.id", "node.ip")


def pin(service: Service, swarm: Context) -> str:
    """The constraint that ties a service to one node, or ``""``.

    Without a snapshot a label counts as such a tie, unless several replicas are wanted: then there
    are probably several nodes with that label. With a snapshot, the nodes are counted.
    """
    texts = [text for text, _ in service.constraints]
    ties = [text for text in texts if _ties(constraint(text), service.replicas)]
    if swarm.snapshot is None:
        return next(iter(ties), "")
    alone = len(swarm.snapshot.eligible(texts)) <= 1
    return ", ".join(texts) if alone and texts else ""


def _ties(parsed: Constraint, replicas: int) -> bool:
    by_label = names_label(parsed) and replicas <= 1
    return parsed.operator == "==" and (parsed.key.lower() in _PINS or by_label)


def names_label(parsed: Constraint) -> bool:
    """Whether a constraint is about a label, which one node may have, or several."""
    return parsed.key.lower().startswith(("node.labels.", "engine.labels."))


def on_managers_only(service: Service) -> bool:
    """Whether the constraints keep a service on managers."""
    for text, _ in service.constraints:
        parsed = constraint(text)
        wanted = ("==", "manager") if parsed.operator == "==" else ("!=", "worker")
        if parsed.key.lower() == "node.role" and parsed.value.lower() == wanted[1]:
            return True
    return False


def names_role(service: Service) -> bool:
    """Whether any constraint is about the node's role."""
    return any(constraint(text).key.lower() == "node.role" for text, _ in service.constraints)


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
