"""Whether a version really serves: its tasks on live nodes, and its published ports asked.

Compared before and after: what answered before a failed deploy must answer after it. A port that
cannot be reached from here (a firewall may say so) proves nothing either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from swarmctl import http
from swarmctl.stack.deploy.converge import judge
from swarmctl.swarm.model import Service, Swarm

# The label by which a service says which path is worth asking; the chaos probes ask it too.
PATH_LABEL = "swarmctl.probe.path"

_TIMEOUT = 2.0
_PLACES = 3  # so many places of a service are asked
_SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service can be asked."""

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}{self.path}"


Probe = Callable[[Place], str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one service stands.

    Attributes:
        ready: tasks of its current spec that serve on live nodes.
        place: the place that gave the best answer, ``None`` when nothing is published.
        answer: ``HTTP 200``, ``open`` (no HTTP), or ``no answer``.
    """

    service: str
    ready: int
    wanted: int
    place: Place | None = None
    answer: str = ""

    @property
    def answers(self) -> int:
        """How good the answer is: 3 as wanted, 2 an error, 1 none."""
        if self.answer.startswith("HTTP"):
            return 3 if self.answer < "HTTP 5" else 2
        return 3 if self.answer == "open" else 1

    def __str__(self) -> str:
        text = f"{self.service} {self.ready}/{self.wanted} on live nodes"
        if self.place is None:
            return text
        return f"{text}, {self.place} → {self.answer}"


def standings(
    swarm: Swarm, stack: str, addresses: Mapping[str, str], probe: Probe | None = None
) -> dict[str, Standing]:
    """How each service of a stack stands, by name.

    Args:
        swarm: a snapshot.
        stack: its name.
        addresses: hostname of a node → where it is reached from here; others by their own address.
        probe: asks one place; replaced in tests.
    """
    services = swarm.stack_services(stack)
    if not services:
        return {}
    ask = probe or http_probe
    with ThreadPoolExecutor(len(services)) as pool:
        found = pool.map(lambda service: _standing(swarm, service, addresses, ask), services)
        return {standing.service: standing for standing in found}


def _standing(swarm: Swarm, service: Service, addresses: Mapping[str, str], ask: Probe) -> Standing:
    judgement = judge(swarm, service)
    bare = Standing(service.name, judgement.ready, judgement.wanted)
    asked = list(places(swarm, service, addresses))[:_PLACES]
    if not asked:
        return bare
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = pool.map(ask, asked)
        found = [
            replace(bare, place=place, answer=answer)
            for place, answer in zip(asked, answers, strict=True)
        ]
    return max(found, key=lambda standing: standing.answers)


def places(swarm: Swarm, service: Service, addresses: Mapping[str, str]) -> Iterator[Place]:
    """Where a service's TCP ports are open: the mesh on every node, host ports where tasks run."""
    path = "/" + service.labels.get(PATH_LABEL, "").lstrip("/")
    live = {n.id: addresses.get(n.hostname) or n.address for n in swarm.nodes if n.live}
    for port in service.ports:
        if port.protocol == "tcp" and port.mode != "host" and port.published:
            yield from (Place(address, port.published, path) for address in live.values())
    for task in swarm.serving(service):
        for port in task.ports:
            if port.protocol == "tcp" and port.mode == "host" and port.published:
                yield Place(live[task.node_id], port.published, path)


def http_probe(place: Place) -> str:
    """Ask once: ``HTTP <status>``, ``open`` where something else than HTTP answers, or nothing."""
    answer = http.get(f"http://{place}", _TIMEOUT)
    if answer.status is not None:
        return f"HTTP {answer.status}"
    return _SILENT if answer.failure in (http.Failure.UNREACHABLE, http.Failure.LATE) else "open"


def losses(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> list[str]:
    """What served before and does not any more, a line each."""
    lines = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            lines.append(f"{name} is gone")
        elif new.ready < old.ready:
            lines.append(f"{name} had {old.ready} tasks serving, now {new.ready}")
        elif old.answers == 3 and new.answers < 3:
            lines.append(f"{old.place} answered {old.answer}; now {new.place} → {new.answer}")
    return lines
