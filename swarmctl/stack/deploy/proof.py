"""Proof that a version serves: its tasks on live nodes, and a request to its published ports.

Compared before a failed deploy and after its rollback: a port that answered before must answer
again. A port that could not be reached before (a firewall may block it) is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from swarmctl import http
from swarmctl.stack.deploy.converge import convergence_of
from swarmctl.swarm.model import Service, Swarm

_TIMEOUT = 2.0
_ADDRESSES = 3  # how many addresses of a service get a request


@dataclass(frozen=True, slots=True)
class ProbeAddress:
    """A published port of a service, and the path to request."""

    host: str
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


Probe = Callable[[ProbeAddress], ProbeAnswer]


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How one service serves.

    Attributes:
        ready: tasks of its current spec that serve on live nodes.
        address: the one with the best answer, ``None`` when no port is published.
    """

    service: str
    ready: int
    wanted: int
    address: ProbeAddress | None = None
    answer: ProbeAnswer = ProbeAnswer()

    def __str__(self) -> str:
        text = f"{self.service} {self.ready}/{self.wanted} on live nodes"
        return f"{text}, {self.address} → {self.answer}" if self.address else text


def http_probe(address: ProbeAddress) -> ProbeAnswer:
    """Send one GET request."""
    answer = http.get(f"http://{address}", _TIMEOUT)
    silent = answer.failure in (http.Failure.UNREACHABLE, http.Failure.LATE)
    return ProbeAnswer(answer.status, open=answer.status is None and not silent)


def health_of_stack(
    swarm: Swarm, stack: str, addresses: Mapping[str, str], probe: Probe = http_probe
) -> dict[str, ServiceHealth]:
    """How each service of a stack serves, by name.

    Args:
        swarm: a snapshot.
        stack: its name.
        addresses: hostname → address reachable from here; other nodes by their own address.
        probe: sends one request; replaced in tests.
    """
    services = swarm.stack_services(stack)
    with ThreadPoolExecutor(len(services) or 1) as pool:
        found = pool.map(lambda service: _health(swarm, service, addresses, probe), services)
        return {health.service: health for health in found}


def _health(
    swarm: Swarm, service: Service, addresses: Mapping[str, str], probe: Probe
) -> ServiceHealth:
    tasks = convergence_of(swarm, service)
    probed = list(probe_addresses(swarm, service, addresses))[:_ADDRESSES]
    if not probed:
        return ServiceHealth(service.name, tasks.ready, tasks.wanted)
    with ThreadPoolExecutor(len(probed)) as pool:
        answers = zip(probed, pool.map(probe, probed), strict=True)
        address, answer = max(answers, key=lambda pair: pair[1].rank)
    return ServiceHealth(service.name, tasks.ready, tasks.wanted, address, answer)


def probe_addresses(
    swarm: Swarm, service: Service, addresses: Mapping[str, str]
) -> Iterator[ProbeAddress]:
    """A service's published TCP ports: mesh ports on every node, host ports where tasks run."""
    live = {n.id: addresses.get(n.hostname) or n.address for n in swarm.nodes if n.live}
    for port in service.ports:
        if port.protocol == "tcp" and port.mode != "host" and port.published:
            yield from (
                ProbeAddress(address, port.published, service.probe_path)
                for address in live.values()
            )
    for task in swarm.serving(service):
        for port in task.ports:
            if port.protocol == "tcp" and port.mode == "host" and port.published:
                yield ProbeAddress(live[task.node_id], port.published, service.probe_path)


def regressions(
    before: Mapping[str, ServiceHealth], after: Mapping[str, ServiceHealth]
) -> list[str]:
    """What served before and no longer does, one line each."""
    lines = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            lines.append(f"{name} is gone")
        elif new.ready < old.ready:
            lines.append(f"{name} had {old.ready} tasks serving, now {new.ready}")
        elif old.answer.rank == 3 and new.answer.rank < 3:
            lines.append(f"{old.address} answered {old.answer}; now {new.address} → {new.answer}")
    return lines
