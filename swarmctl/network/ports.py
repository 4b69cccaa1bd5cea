"""Requests to the ports that services publish: each port, on the nodes that should answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from swarmctl import http
from swarmctl.swarm.model import Service, Swarm

_TIMEOUT = 2.0
_ADDRESSES = 3  # how many addresses of a port get a request
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ProbeAddress:
    """A published port of a service on one node, and the path to request; "": only connect."""

    node: str
    host: str
    target: int  # the port inside the container
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """How a port answered: with an HTTP status, with something else (``open``), or not at all."""

    status: int | None = None
    open: bool = False

    @property
    def rank(self) -> int:
        """How good it is: 3 success, 2 a server error, 1 no answer."""
        if self.status is not None:
            return 3 if self.status < 500 else 2
        return 3 if self.open else 1

    def __str__(self) -> str:
        if self.status is not None:
            return f"HTTP {self.status}"
        return "open" if self.open else "no answer"


@dataclass(frozen=True, slots=True)
class PortHealth:
    """How a published port of a service answers: the best of the addresses that were asked."""

    service: str
    address: ProbeAddress
    answer: ProbeAnswer

    def __str__(self) -> str:
        return f"{self.address} → {self.answer}"


Probe = Callable[[ProbeAddress], ProbeAnswer]


def http_probe(address: ProbeAddress) -> ProbeAnswer:
    """Send one GET request, or open a connection."""
    place = f"{address.host}:{address.port}"
    answer = http.get_or_connect(place, address.path, _TIMEOUT)
    silent = answer.failure in (http.Failure.UNREACHABLE, http.Failure.LATE)
    return ProbeAnswer(answer.status, open=answer.status is None and not silent)


def ask_ports(
    swarm: Swarm,
    services: Sequence[Service],
    addresses: Mapping[str, str],
    probe: Probe = http_probe,
) -> tuple[PortHealth, ...]:
    """Request every published TCP port of these services; the best answer of each port.

    Args as for :func:`ask_addresses`.
    """
    best: dict[tuple[str, int], PortHealth] = {}
    for health in ask_addresses(swarm, services, addresses, probe, _ADDRESSES):
        key = health.service, health.address.target
        if key not in best or health.answer.rank > best[key].answer.rank:
            best[key] = health
    return tuple(best.values())


def ask_addresses(
    swarm: Swarm,
    services: Sequence[Service],
    addresses: Mapping[str, str],
    probe: Probe = http_probe,
    at_most: int | None = None,
) -> tuple[PortHealth, ...]:
    """Request the published TCP ports of these services at their addresses, at the same time.

    Args:
        swarm: a snapshot.
        services: some of its services.
        addresses: hostname → address reachable from here; other nodes by their own address.
        probe: sends one request; replaced in tests.
        at_most: at so many addresses of each port; ``None`` for all.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [
            (service.name, address, pool.submit(probe, address))
            for service in services
            for address in _first(at_most, probe_addresses(swarm, service, addresses))
        ]
        return tuple(PortHealth(name, address, answer.result()) for name, address, answer in asked)


def should_answer(swarm: Swarm, service: Service) -> bool:
    """Whether a service is to serve: a job ends, and one without replicas is switched off."""
    return not service.is_job and swarm.wanted(service) > 0


def probe_addresses(
    swarm: Swarm, service: Service, addresses: Mapping[str, str]
) -> Iterator[ProbeAddress]:
    """The TCP ports that should answer: mesh ports on every node, host ports where tasks run."""
    if not should_answer(swarm, service):
        return
    live = {node.id: node for node in swarm.nodes if node.live}

    def at(node_id: str, target: int, port: int) -> ProbeAddress:
        node = live[node_id]
        host = addresses.get(node.hostname) or node.address
        return ProbeAddress(node.hostname, host, target, port, service.probe_path)

    for port in service.ports:
        if port.protocol == "tcp" and port.mode != "host" and port.published:
            yield from (at(node_id, port.target, port.published) for node_id in live)
    for task in swarm.serving(service):
        for port in task.ports:
            if port.protocol == "tcp" and port.mode == "host" and port.published:
                yield at(task.node_id, port.target, port.published)


def _first(count: int | None, found: Iterator[ProbeAddress]) -> Iterator[ProbeAddress]:
    """The first addresses of each port."""
    by_target = sorted(found, key=lambda address: address.target)
    for _, group in groupby(by_target, key=lambda address: address.target):
        yield from list(group)[:count]
