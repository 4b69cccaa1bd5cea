"""What discovery publishes, as plain, frozen data; see :mod:`swarmctl.discovery.catalogue`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from swarmctl.discovery.routes.labels import Route


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and port at which a service answers now; it exists only while it does.

    Attributes:
        id: unique, and the same as long as the endpoint exists: the task's id for a host port.
        name: under which clients find it: a DNS label.
        service: the Swarm's name of the service.
        stack: the stack it was deployed with, or ``""``.
        task: the task's id; ``""`` for a port of the routing mesh.
        slot: the task's; 0 for global services and the mesh.
        node: the node's unique name.
        address: the node's.
        port: the published port.
        target: the port inside the container.
        protocol: ``tcp``, ``udp`` or ``sctp``.
        mode: ``host`` or ``ingress`` (the routing mesh).
        zone: the node's availability zone, or ``""``.
        version: the label ``swarmctl.discovery.version``, else the image's tag.
        tags: in the order of the label.
        since: when the task was seen running (RFC 3339), or ``""``.
        path: that a probe requests, if it speaks HTTP.
        balanced: whether a load balancer is to forward requests to it.
    """

    id: str
    name: str
    service: str
    stack: str
    task: str
    slot: int
    node: str
    address: str
    port: int
    target: int
    protocol: str
    mode: str
    zone: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    since: str = ""
    path: str = "/"
    balanced: bool = False

    @property
    def place(self) -> str:
        """``address:port``, with brackets around an IPv6 address."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the Swarm, live or not."""

    id: str
    name: str  # unique among the nodes
    label: str  # the name as a DNS label, unique too
    address: str
    zone: str
    role: str
    live: bool
    leader: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Why (a part of) a service is not published."""

    service: str
    text: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All endpoints, sorted by name, and the nodes, at one moment.

    What others have of the ``unknown`` endpoints is right: it is never taken away.
    """

    endpoints: tuple[Endpoint, ...] = ()
    # They serve at a port that the managers forgot (0), or did on a node not heard from any more.
    unknown: tuple[Endpoint, ...] = ()
    members: tuple[Member, ...] = ()
    problems: tuple[Problem, ...] = ()
    services: tuple[str, ...] = ()  # the Swarm's names of those that publish a port
    unpublished: tuple[str, ...] = ()  # … of those that do not
    routes: tuple[Route, ...] = ()  # of services with swarmctl.http.… labels, sorted

    @property
    def every(self) -> tuple[Endpoint, ...]:
        """The endpoints, and the unknown ones."""
        return self.endpoints + self.unknown

    def by_name(self) -> Iterator[tuple[str, tuple[Endpoint, ...]]]:
        """The endpoints of each name; names in order."""
        for name, found in groupby(self.endpoints, key=lambda e: e.name):
            yield name, tuple(found)

    def named(self, name: str) -> tuple[Endpoint, ...]:
        """The endpoints of a name, in any case, or of the Swarm's service of that name."""
        label = name.lower()
        found = tuple(e for e in self.endpoints if e.name == label)
        return found or tuple(e for e in self.endpoints if e.service.lower() == label)
