"""Which images each node holds, read on the nodes over SSH: the managers do not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.observe.host_ports import Shell
from swarmctl.swarm.shell import Shells

# One line an image and name: name with tag, name with digest, id.
SCRIPT = (
    "docker image ls --no-trunc --digests --format "
    "'{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}} {{.ID}}'"
)
TIMEOUT_S = 8.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class NodeImages:
    """What the nodes answered.

    Attributes:
        images: by node id, the names of its images; see :attr:`swarmctl.swarm.node.Node.images`.
        silent: by hostname, why a node did not answer.
    """

    images: Mapping[str, frozenset[str]] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)


def ask_images(shell: Shell, hosts: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> NodeImages:
    """Ask nodes for their images, all at the same time.

    Args:
        shell: commands on the nodes.
        hosts: hostname by node id.
        timeout_s: seconds for each node, the login included.
    """
    if not hosts:
        return NodeImages()

    def ask(host: str) -> frozenset[str] | str:
        try:
            return image_names(shell.run(host, SCRIPT, timeout_s).splitlines())
        except SwarmctlError as fault:
            return fault.message

    with ThreadPoolExecutor(min(_AT_ONCE, len(hosts))) as pool:
        answers = dict(zip(hosts, pool.map(ask, hosts.values()), strict=True))
    return NodeImages(
        {id_: found for id_, found in answers.items() if not isinstance(found, str)},
        {hosts[id_]: why for id_, why in answers.items() if isinstance(why, str)},
    )


def image_names(lines: Iterable[str]) -> frozenset[str]:
    """The names in the output of :data:`SCRIPT`."""
    return frozenset(word for line in lines for word in line.split() if "<none>" not in word)


def with_images(swarm: Swarm, shell: Shells | None) -> Swarm:
    """The snapshot with the images of its live nodes; those that do not answer stay unknown.

    Args:
        swarm: a snapshot.
        shell: commands on the nodes, closed at the end; ``None``: they cannot be reached.
    """
    if shell is None:
        return swarm
    with closing(shell):
        found = ask_images(shell, live_hosts(swarm))
    return known_images(swarm, found)


def live_hosts(swarm: Swarm) -> dict[str, str]:
    """The hostnames of the nodes that are up, by id."""
    return {node.id: node.hostname for node in swarm.nodes if node.live}


def known_images(swarm: Swarm, found: NodeImages) -> Swarm:
    """The snapshot with what the nodes answered."""
    nodes = tuple(replace(n, images=found.images.get(n.id)) for n in swarm.nodes)
    return replace(swarm, nodes=nodes)
