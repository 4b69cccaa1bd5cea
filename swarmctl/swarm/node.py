"""A member of the Swarm, as plain, frozen data, and how a user names one; see ``model``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown

# The node label that the role swarm gives every node: its availability zone.
ZONE_LABEL = "az"


@dataclass(frozen=True, slots=True)
class Resources:
    """CPU in billionths of a core, memory in bytes, and the user's own kinds with amounts."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    generic: tuple[tuple[str, int], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.nano_cpus or self.memory_bytes or self.generic)


NO_RESOURCES = Resources()


@dataclass(frozen=True, slots=True)
class Node:
    """A member of the Swarm."""

    id: str
    hostname: str
    role: str  # "manager" or "worker"
    availability: str  # "active", "pause" or "drain"
    state: str  # "ready", "down", "disconnected" or "unknown"
    address: str
    name: str = ""  # unique: the hostname, with the id where several nodes have it
    labels: Mapping[str, str] = field(default_factory=dict)
    leader: bool = False
    reachability: str = ""  # managers only: "reachable" or "unreachable"
    engine_version: str = ""
    resources: Resources = NO_RESOURCES
    plugins: tuple[tuple[str, str], ...] | None = None  # (type, name); None: not known
    message: str = ""
    status_address: str = ""  # Status.Addr, which ``node.ip`` is compared with
    platform_os: str = ""
    platform_arch: str = ""
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    updated_at: str = ""  # RFC 3339: when the managers last changed their record of it
    images: frozenset[str] | None = None  # names with tag, with digest, and ids; None: not asked

    @property
    def live(self) -> bool:
        """Whether the managers can talk to it."""
        return self.state == "ready"

    @property
    def unheard(self) -> bool:
        """Whether the managers have no news of it: after an election, for some seconds."""
        return self.state in ("unknown", "disconnected")

    @property
    def zone(self) -> str:
        """Its availability zone, or ``""`` when it has no such label."""
        return self.labels.get(ZONE_LABEL, "")

    @property
    def manager(self) -> bool:
        """Whether it takes part in the quorum."""
        return self.role == "manager"

    @property
    def invalid(self) -> bool:
        """Whether the orchestrators take its tasks away (orchestrator/task.go, InvalidNode)."""
        return self.state == "down" or self.availability == "drain"

    def has_image(self, image: str) -> bool | None:
        """Whether it holds the image that a service names; ``None`` when it was not asked.

        With a digest, exactly that image counts, whatever its tag: Swarm's agent then starts a task
        without asking the registry (moby daemon/cluster/executor/container/adapter.go, pullImage).
        """
        return None if self.images is None else stored_name(image) in self.images


def stored_name(image: str) -> str:
    """The name under which an Engine lists an image: ``httpd:latest``, or ``httpd@sha256:…``."""
    name, _, digest = image.partition("@")
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    if digest:
        return f"{folder}{slash}{last}@{digest}"
    return image if image.startswith("sha256:") else f"{folder}{slash}{last}:{tag or 'latest'}"


def find_node(nodes: Sequence[Node], name: str) -> Node:
    """A node by its full name, its id, or its short name.

    The short name is what follows the cluster's name: ``wkr2`` for ``swarm_app_wkr2``. Among
    namesakes the one that is up is meant: a machine that joined anew leaves its old entry behind.

    Args:
        nodes: all nodes of the Swarm.
        name: what the user typed.

    Raises:
        UsageError: no node has this name, or several that are up.
    """
    found = (
        [node for node in nodes if name in (node.name, node.id)]
        or [node for node in nodes if node.hostname == name]
        or [node for node in nodes if name and node.hostname.endswith(f"_{name}")]
    )
    if not found:
        raise unknown("node", name, (node.name or node.hostname for node in nodes))
    up = [node for node in found if node.state != "down"]
    if len(up) > 1:
        listing = ", ".join(f"{node.hostname} ({node.id})" for node in up)
        raise UsageError(f"several nodes have the name {name!r}", f"use an id: {listing}")
    return (up or found)[0]
