"""Taking a stack away, and what old versions of it have left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.reading.names import unknown
from swarmctl.stack.deploy.apply import remove_services
from swarmctl.stack.deploy.current import Current, look, used
from swarmctl.stack.deploy.rollback import discard
from swarmctl.swarm import shell
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import STACK_LABEL
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import wait_for

# Seconds for one node's volumes.
_NODE_TIMEOUT = 30.0

# Not every user may use a worker's Engine; on EC2's images the login user may always sudo.
_DOCKER = 'if docker version >/dev/null 2>&1; then docker "$@"; else sudo -n docker "$@"; fi'


@dataclass(frozen=True, slots=True)
class NodeVolumes:
    """A stack's volumes on one node, or why they are not known."""

    node: str
    names: tuple[str, ...] = ()
    error: str = ""


def deployed(engine: Engine, stack: str) -> Current:
    """What there is of a stack.

    Raises:
        UsageError: nothing; the hint names the stacks that there are.
    """
    current = look(engine, stack)
    if current.empty:
        raise unknown("deployed stack", stack, engine.snapshot().stacks())
    return current


def remove(
    engine: Engine,
    current: Current,
    *,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Remove a stack's services, wait until their tasks have ended, then all else that is its own.

    Args:
        engine: the Swarm.
        current: the stack.
        timeout: seconds for all of it.
        clock: replaced in tests.
        pause: replaced in tests.

    Raises:
        DeadlineExceededError: tasks are still there, or something else still uses what is left.
    """
    deadline = clock() + timeout
    ids = {name: service["ID"] for name, service in current.services.items()}
    remove_services(engine, ids, timeout, clock, pause)
    objects = {
        kind: {name: entry.get("ID") or entry["Id"] for name, entry in current.of(kind).items()}
        for kind in ("secrets", "configs", "networks")
    }
    discard(engine, objects, max(1.0, deadline - clock()), clock, pause)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Secrets and configs of a stack that no service needs: kind → name → id."""

    found: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not any(self.found.values())

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{kind.removesuffix('s')} {name}" for kind, all_ in self.found.items() for name in all_
        ]


def leftovers(engine: Engine, current: Current, *, keep_previous: bool = True) -> Leftovers:
    """What old versions of a stack have left behind.

    Args:
        engine: the Swarm.
        current: the stack.
        keep_previous: whether what only a service's previous version needs is kept, so that
            ``docker service rollback`` goes on working.
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


# --- volumes: each is on one node, and only that node's Engine knows it ---------------------------


def volumes(nodes: Mapping[str, Endpoint], stack: str) -> list[NodeVolumes]:
    """The volumes of a stack on every node; a node that cannot be asked says why.

    Args:
        nodes: name → how it is reached.
        stack: its name.
    """
    argv = ["volume", "ls", "--quiet", "--filter", f"label={STACK_LABEL}={stack}"]
    return _everywhere(nodes, lambda name, where: _ask(name, where, argv))


def remove_volumes(
    nodes: Mapping[str, Endpoint], found: Iterable[NodeVolumes], timeout: float = _NODE_TIMEOUT
) -> list[NodeVolumes]:
    """Remove volumes, once the containers that had them are gone.

    Args:
        nodes: name → how it is reached.
        found: what :func:`volumes` has found.
        timeout: seconds.

    Returns:
        What is left, with the reason, for each node where something is.
    """
    there = {volume.node: volume.names for volume in found if volume.names}

    def remove_on(name: str, where: Endpoint) -> NodeVolumes:
        left, said = list(there[name]), ""

        def all_gone() -> tuple[bool | None, str]:
            nonlocal said
            done = _ask(name, where, ["volume", "rm", *left])
            left[:] = [volume for volume in left if volume not in done.names]
            said = done.error
            return (None if left else True), said

        try:
            wait_for(f"volumes of {name} to be free", all_gone, timeout=timeout, interval=0.5)
        except DeadlineExceededError:
            return NodeVolumes(name, tuple(left), said)
        return NodeVolumes(name)

    results = _everywhere({n: nodes[n] for n in there}, remove_on)
    return [result for result in results if result.names]


def _everywhere(
    nodes: Mapping[str, Endpoint], ask: Callable[[str, Endpoint], NodeVolumes]
) -> list[NodeVolumes]:
    if not nodes:
        return []
    with ThreadPoolExecutor(min(16, len(nodes))) as pool:
        return list(pool.map(lambda item: ask(*item), nodes.items()))


def _ask(name: str, where: Endpoint, argv: Sequence[str]) -> NodeVolumes:
    try:
        done = shell.run(where, ["sh", "-c", _DOCKER, "docker", *argv], timeout=_NODE_TIMEOUT)
    except SwarmctlError as fault:
        return NodeVolumes(name, error=fault.message)
    names = tuple(done.output.decode(errors="replace").split())
    error = " ".join(done.errors.split()) if done.code else ""
    return NodeVolumes(name, names, error)
