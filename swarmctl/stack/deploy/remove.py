"""Remove a stack, its volumes, and the secrets and configs of its old versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.cluster import Target, endpoint
from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown
from swarmctl.stack.deploy.apply import remove_services
from swarmctl.stack.deploy.current import CurrentStack, object_id, read_current, used
from swarmctl.stack.deploy.deploy import connect
from swarmctl.stack.deploy.rollback import remove_objects
from swarmctl.stack.deploy.volumes import NodeVolumes, find_volumes, remove_volumes
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import CLOCK, Clock

Note = Callable[[str], None]


def remove_stack(
    target: Target,
    stack: str,
    *,
    volumes: bool,
    timeout: float,
    confirm: Callable[[Sequence[str]], None],
    removed: Note,
    note: Note,
) -> None:
    """Remove a stack and wait until its tasks and networks are gone.

    Args:
        target: the Swarm.
        stack: the name it was deployed under.
        volumes: whether its volumes are removed as well, on every node.
        timeout: seconds for the tasks and networks.
        confirm: asked before volumes are removed ("NAME on NODE"); raises to refuse.
        removed: told each object that has been removed.
        note: told remarks.

    Raises:
        UsageError: there is no such stack.
        RefusedError: another process is deploying this stack, or ``confirm`` refused.
        SwarmctlError: something could not be removed.
    """
    nodes = _nodes(target, note) if volumes else {}
    found = find_volumes(nodes, stack)
    named = [f"{name} on {on.node}" for on in found for name in on.names]
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        if named:
            confirm(named)
        else:
            read_deployed(engine, stack)  # refuses a name that is not deployed
        with lock.held(engine, lock.of_stack(stack), timeout + 60, lock.this_process("rm"), note):
            current = read_current(engine, stack)
            remove(engine, current, timeout=timeout)
    for kind in ("services", "networks", "configs", "secrets"):
        for name in current.of(kind):
            removed(f"{kind.removesuffix('s')} {name}")
    _remove_volumes(nodes, found, removed)


def _nodes(target: Target, note: Note) -> dict[str, Endpoint]:
    """Every running node: a volume exists on one node only."""
    if not target.instances:
        note("note: with --host, only the volumes of that manager are found")
        return {str(where): where for where in target.endpoints}
    return {i.name: endpoint(i) for i in target.instances if i.state == "running"}


def _remove_volumes(
    nodes: Mapping[str, Endpoint], found: Sequence[NodeVolumes], removed: Note
) -> None:
    left = remove_volumes(nodes, found)
    kept = {(on.node, name) for on in left for name in on.names}
    for on in found:
        for name in on.names:
            if (on.node, name) not in kept:
                removed(f"volume {name} on {on.node}")
    if problems := [f"{on.node}: {on.error}" for on in [*left, *found] if on.error]:
        raise SwarmctlError("volumes may be left:\n  " + "\n  ".join(problems))


def read_deployed(engine: Engine, stack: str) -> CurrentStack:
    """What the Swarm has of a stack.

    Raises:
        UsageError: nothing; the hint lists the deployed stacks.
    """
    current = read_current(engine, stack)
    if current.empty:
        raise unknown("deployed stack", stack, engine.snapshot().stacks())
    return current


def remove(engine: Engine, current: CurrentStack, *, timeout: float, clock: Clock = CLOCK) -> None:
    """Remove a stack's services, wait until their tasks have ended, then its other objects.

    Args:
        engine: the Swarm.
        current: the stack.
        timeout: seconds for everything.
        clock: replaced in tests.

    Raises:
        DeadlineExceededError: some tasks still run, or an object is still in use.
    """
    deadline = clock.now() + timeout
    ids = {name: service["ID"] for name, service in current.services.items()}
    remove_services(engine, ids, timeout, clock)
    objects = {
        kind: {name: object_id(entry) for name, entry in current.of(kind).items()}
        for kind in ("secrets", "configs", "networks")
    }
    remove_objects(engine, objects, max(1.0, deadline - clock.now()), clock)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Secrets and configs of a stack that no service uses: kind → name → id."""

    found: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not any(self.found.values())

    def lines(self) -> list[str]:
        """One line each."""
        return [
            f"{kind.removesuffix('s')} {name}" for kind, all_ in self.found.items() for name in all_
        ]


def prune(
    target: Target, stack: str, *, remove: bool, keep_previous: bool, note: Note
) -> Leftovers:
    """Find, and remove if told so, the secrets and configs that no service of a stack uses.

    Args:
        target: the Swarm.
        stack: the name it was deployed under.
        remove: whether they are removed.
        keep_previous: see :func:`leftovers`.
        note: told remarks.

    Raises:
        UsageError: there is no such stack.
        RefusedError: another process is deploying this stack.
    """
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        read_deployed(engine, stack)
        with lock.held(engine, lock.of_stack(stack), 60, lock.this_process("prune"), note):
            found = leftovers(engine, read_current(engine, stack), keep_previous=keep_previous)
            if remove and not found.empty:
                remove_objects(engine, found.found, timeout=20)
    return found


def leftovers(engine: Engine, current: CurrentStack, *, keep_previous: bool = True) -> Leftovers:
    """The secrets and configs of a stack that no service uses.

    Args:
        engine: the Swarm.
        current: the stack.
        keep_previous: whether to keep what only a service's previous version uses, so that
            ``docker service rollback`` still works.
    """
    services = list(engine.get("/services") or ())
    if not keep_previous:
        services = [{**service, "PreviousSpec": None} for service in services]
    needed = used(services)
    return Leftovers(
        {
            kind: {n: e["ID"] for n, e in current.of(kind).items() if e["ID"] not in needed[kind]}
            for kind in ("configs", "secrets")
        }
    )


def unlock(target: Target, stack: str) -> lock.Lock | None:
    """Remove the lock of a stack; returns it, or ``None`` if the stack was not locked."""
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        found = lock.find(engine, lock.of_stack(stack))
        if found is not None:
            lock.release(engine, found.id)
    return found
