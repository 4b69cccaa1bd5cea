"""Remove a stack, its volumes, and the secrets and configs of its old versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from swarmctl.cluster import Target
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.reading.names import unknown
from swarmctl.registry import former
from swarmctl.stack.deploy.apply import remove_services
from swarmctl.stack.deploy.current import CurrentStack, ids_in_use, read_current
from swarmctl.stack.deploy.deploy import connect
from swarmctl.stack.deploy.interrupts import Interrupts
from swarmctl.stack.deploy.rollback import remove_objects
from swarmctl.stack.settings.record import config_name
from swarmctl.swarm import lock, shell
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.model import STACK_LABEL
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import CLOCK, Clock, wait_for

Note = Callable[[str], None]

# Seconds for one node's volumes.
_NODE_TIMEOUT = 30.0

# Not every user may use a worker's Engine; on EC2's images the login user may always use sudo.
_DOCKER = 'if docker version >/dev/null 2>&1; then docker "$@"; else sudo -n docker "$@"; fi'


@dataclass(frozen=True, slots=True)
class NodeVolumes:
    """A stack's volumes on one node, or the error of that node."""

    node: str
    volumes: tuple[str, ...] = ()
    error: str = ""


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
        removed: called with each object that has been removed.
        note: called with remarks.

    Raises:
        UsageError: there is no such stack.
        RefusedError: another process is deploying this stack, or ``confirm`` refused.
        SwarmctlError: something could not be removed.
    """
    if volumes and not target.instances:
        note("note: with --host, only the volumes of that manager are found")
    nodes = target.nodes() if volumes else {}  # a volume exists on one node only
    found = find_volumes(nodes, stack)
    named = [f"{name} on {entry.node}" for entry in found for name in entry.volumes]
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        if named:
            confirm(named)
        else:
            read_deployed(engine, stack)  # refuses a name that is not deployed
        with Interrupts(stack, "removal") as interrupts, ExitStack() as held:
            with interrupts.deferred():
                owner = lock.this_process("rm")
                subject = lock.of_stack(stack)
                held.enter_context(lock.held(engine, subject, timeout + 60, owner, note))
            current = read_current(engine, stack)
            try:
                remove(engine, current, timeout=timeout)
            except BaseException:
                interrupts.shield(f"releasing the lock of {stack}")
                note(f"{stack} is removed in part; the rest: swarmctl stack rm {word(stack)}")
                raise
    for kind in ("services", "networks", "configs", "secrets"):
        for name in current.of(kind):
            removed(f"{kind.removesuffix('s')} {name}")
    _remove_volumes(nodes, found, removed)


def _remove_volumes(
    nodes: Mapping[str, Endpoint], found: Sequence[NodeVolumes], removed: Note
) -> None:
    left = remove_volumes(nodes, found)
    kept = {(entry.node, name) for entry in left for name in entry.volumes}
    for entry in found:
        for name in entry.volumes:
            if (entry.node, name) not in kept:
                removed(f"volume {name} on {entry.node}")
    if problems := [f"{entry.node}: {entry.error}" for entry in [*left, *found] if entry.error]:
        raise SwarmctlError("volumes may be left:\n  " + "\n  ".join(problems))


def read_deployed(engine: Engine, stack: str) -> CurrentStack:
    """What the Swarm has of a stack.

    Raises:
        UsageError: it has nothing; the hint lists the deployed stacks.
    """
    current = read_current(engine, stack)
    if current.empty:
        raise unknown("deployed stack", stack, engine.snapshot().stacks())
    return current


def remove(engine: Engine, current: CurrentStack, *, timeout: float, clock: Clock = CLOCK) -> None:
    """Remove a stack's services, wait until their tasks have ended, then its other objects.

    Raises:
        DeadlineExceededError: after ``timeout`` seconds for everything, some tasks still run, or an
            object is still in use.
    """
    deadline = clock.now() + timeout
    remove_services(engine, current.ids("services"), timeout, clock)
    objects = {kind: current.ids(kind) for kind in ("secrets", "configs", "networks")}
    remove_objects(engine, objects, max(1.0, deadline - clock.now()), clock)


def prune(
    target: Target, stack: str, *, remove: bool, keep_previous: bool, note: Note
) -> list[str]:
    """Find, and remove if ``remove``, the secrets and configs that no service of a stack uses.

    Returns:
        One line each: ``config NAME``.

    Raises:
        UsageError: there is no such stack.
        RefusedError: another process is deploying this stack.
    """
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        read_deployed(engine, stack)
        with lock.held(engine, lock.of_stack(stack), 60, lock.this_process("prune"), note):
            found = leftovers(engine, read_current(engine, stack), keep_previous=keep_previous)
            if remove:
                remove_objects(engine, found, timeout=20)
    return [f"{kind.removesuffix('s')} {name}" for kind, names in found.items() for name in names]


def leftovers(
    engine: Engine, current: CurrentStack, *, keep_previous: bool = True
) -> dict[str, dict[str, str]]:
    """The secrets and configs of a stack that no service uses: kind → name → id.

    With ``keep_previous``, those that only a service's previous version uses count as used, so that
    ``docker service rollback`` and ``swarmctl stack rollback`` still work.
    """
    services = list(engine.get("/services") or ())
    kept = {config_name(current.stack)}
    if keep_previous:
        copies = [c for c in current.configs.values() if former.is_kept(c)]
        services += [{"Spec": spec} for spec in former.specs(copies)]
        kept |= {copy["Spec"]["Name"] for copy in copies}
    else:
        services = [{**service, "PreviousSpec": None} for service in services]
    needed = ids_in_use(services)
    return {
        kind: {
            n: i for n, i in current.ids(kind).items() if i not in needed[kind] and n not in kept
        }
        for kind in ("configs", "secrets")
    }


def unlock(target: Target, stack: str) -> lock.Lock | None:
    """Remove the lock of a stack; returns it, or ``None`` if the stack was not locked."""
    with connect(target) as swarm:
        engine = SwarmEngine(swarm)
        found = lock.find(engine, lock.of_stack(stack))
        if found is not None:
            lock.release(engine, found.id)
    return found


# --- volumes: each is on one node, and only that node's Engine knows it ---------------------------


def find_volumes(nodes: Mapping[str, Endpoint], stack: str) -> list[NodeVolumes]:
    """The volumes of a stack on each of these nodes, or the error of a node."""
    argv = ["volume", "ls", "--quiet", "--filter", f"label={STACK_LABEL}={stack}"]
    return _everywhere(nodes, lambda name, where: _docker(name, where, argv))


def remove_volumes(
    nodes: Mapping[str, Endpoint], found: Iterable[NodeVolumes], timeout: float = _NODE_TIMEOUT
) -> list[NodeVolumes]:
    """Remove volumes as soon as no container uses them any more.

    Returns:
        The volumes that are left after ``timeout`` seconds for each node, with the reason.
    """
    there = {entry.node: entry.volumes for entry in found if entry.volumes}

    def remove_on(name: str, where: Endpoint) -> NodeVolumes:
        left, error = list(there[name]), ""

        def all_gone() -> tuple[bool | None, str]:
            nonlocal error
            done = _docker(name, where, ["volume", "rm", *left])
            left[:] = [volume for volume in left if volume not in done.volumes]
            error = done.error
            return (None if left else True), error

        try:
            wait_for(f"volumes of {name} to be free", all_gone, timeout=timeout, interval=0.5)
        except DeadlineExceededError:
            return NodeVolumes(name, tuple(left), error)
        return NodeVolumes(name)

    results = _everywhere({n: nodes[n] for n in there}, remove_on)
    return [result for result in results if result.volumes]


def _everywhere(
    nodes: Mapping[str, Endpoint], on_node: Callable[[str, Endpoint], NodeVolumes]
) -> list[NodeVolumes]:
    if not nodes:
        return []
    with ThreadPoolExecutor(min(16, len(nodes))) as pool:
        return list(pool.map(lambda item: on_node(*item), nodes.items()))


def _docker(name: str, where: Endpoint, argv: Sequence[str]) -> NodeVolumes:
    try:
        done = shell.run(where, ["sh", "-c", _DOCKER, "docker", *argv], timeout=_NODE_TIMEOUT)
    except SwarmctlError as fault:
        return NodeVolumes(name, error=fault.message)
    names = tuple(done.output.decode(errors="replace").split())
    error = " ".join(done.errors.split()) if done.code else ""
    return NodeVolumes(name, names, error)
