"""The volumes of a stack. Each is on one node, and only that node's Engine knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.swarm import shell
from swarmctl.swarm.model import STACK_LABEL
from swarmctl.swarm.ssh import Endpoint
from swarmctl.wait import wait_for

# Seconds for one node's volumes.
_NODE_TIMEOUT = 30.0

# Not every user may use a worker's Engine; on EC2's images the login user may always use sudo.
_DOCKER = 'if docker version >/dev/null 2>&1; then docker "$@"; else sudo -n docker "$@"; fi'


@dataclass(frozen=True, slots=True)
class NodeVolumes:
    """A stack's volumes on one node, or the error of that node."""

    node: str
    names: tuple[str, ...] = ()
    error: str = ""


def find_volumes(nodes: Mapping[str, Endpoint], stack: str) -> list[NodeVolumes]:
    """The volumes of a stack on every node, or the error of a node.

    Args:
        nodes: name → SSH endpoint.
        stack: the name it was deployed under.
    """
    argv = ["volume", "ls", "--quiet", "--filter", f"label={STACK_LABEL}={stack}"]
    return _everywhere(nodes, lambda name, where: _docker(name, where, argv))


def remove_volumes(
    nodes: Mapping[str, Endpoint], found: Iterable[NodeVolumes], timeout: float = _NODE_TIMEOUT
) -> list[NodeVolumes]:
    """Remove volumes as soon as no container uses them any more.

    Args:
        nodes: name → SSH endpoint.
        found: the result of :func:`find_volumes`.
        timeout: seconds for each node.

    Returns:
        The volumes that are left, with the reason.
    """
    there = {volume.node: volume.names for volume in found if volume.names}

    def remove_on(name: str, where: Endpoint) -> NodeVolumes:
        left, error = list(there[name]), ""

        def all_gone() -> tuple[bool | None, str]:
            nonlocal error
            done = _docker(name, where, ["volume", "rm", *left])
            left[:] = [volume for volume in left if volume not in done.names]
            error = done.error
            return (None if left else True), error

        try:
            wait_for(f"volumes of {name} to be free", all_gone, timeout=timeout, interval=0.5)
        except DeadlineExceededError:
            return NodeVolumes(name, tuple(left), error)
        return NodeVolumes(name)

    results = _everywhere({n: nodes[n] for n in there}, remove_on)
    return [result for result in results if result.names]


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
