"""What each source says of the endpoints, compared with the Swarm. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from swarmctl.discovery.check.source import Published
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.http import Answer, Failure
from swarmctl.swarm.model import Swarm


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing on which a source and the Swarm differ.

    Attributes:
        source: who differs.
        name: of the service; ``""`` if the source as a whole is meant.
        place: address and port, or ``""``.
        text: how they differ.
        since: since when the Swarm has been as it is (RFC 3339), or ``""``; not compared.
    """

    source: str
    name: str
    place: str
    text: str
    since: str = field(default="", compare=False)


def compare(
    swarm: Swarm,
    found: Catalogue,
    published: Iterable[Published],
    answers: Mapping[str, Answer],
    balanced: Collection[str] | None = None,
) -> tuple[Disagreement, ...]:
    """All disagreements, sorted by name.

    Args:
        swarm: the snapshot.
        found: its catalogue.
        published: what each publisher says.
        answers: to a request to each endpoint, by its place.
        balanced: services that only a load balancer may reach: no answer to us says nothing;
            ``None``: it is not known which.
    """
    closed = _unreached(found, answers) if balanced is None else balanced
    every = [
        *(Disagreement("Swarm", p.service, "", p.text) for p in found.problems),
        *(each for source in published for each in _published(swarm, found, source)),
        *(
            each
            for endpoint in found.endpoints
            if endpoint.service not in closed
            for each in _answered(endpoint, answers)
        ),
    ]
    return tuple(sorted(set(every), key=lambda d: (d.name, d.place, d.source, d.text)))


def _published(swarm: Swarm, found: Catalogue, source: Published) -> Iterator[Disagreement]:
    if source.fault:
        yield Disagreement(source.source, "", "", source.fault)
        if not source.places:
            return
    wanted: dict[str, dict[str, Endpoint]] = {}
    for endpoint in found.endpoints:
        for name in source.names(endpoint):
            wanted.setdefault(name, {})[endpoint.place] = endpoint
    for name in sorted({*wanted, *source.places}):
        serve, named = wanted.get(name, {}), source.places.get(name, frozenset())
        for place in set(serve) - named:
            text = "serves, but is not named"
            yield Disagreement(source.source, name, place, text, serve[place].since)
        for place in named - set(serve):
            text, since = _why_stale(swarm, place)
            yield Disagreement(source.source, name, place, text, since)


def _why_stale(swarm: Swarm, place: str) -> tuple[str, str]:
    address = place.rpartition(":")[0].strip("[]")
    node = next((node for node in swarm.nodes if node.address == address), None)
    if node is None:
        return "is named, but no node has this address", ""
    if not node.live:
        return f"is named, but its node {node.name} is {node.state}", node.updated_at
    return f"is named, but nothing serves there (node {node.name} is ready)", ""


def _unreached(found: Catalogue, answers: Mapping[str, Answer]) -> frozenset[str]:
    """Services behind a load balancer of which no endpoint can be reached from here.

    Where the rules are not known, their ports may be open to the load balancer only; it says which
    of them do not answer.
    """
    reached = {
        endpoint.service
        for endpoint in found.endpoints
        if (answer := answers.get(endpoint.place)) is not None
        and answer.failure not in (Failure.UNREACHABLE, Failure.LATE)
    }
    return frozenset(e.service for e in found.endpoints if e.balanced) - reached


def _answered(endpoint: Endpoint, answers: Mapping[str, Answer]) -> Iterator[Disagreement]:
    """What is wrong with the answer to a request; a server that speaks no HTTP is well."""
    answer = answers.get(endpoint.place)
    if answer is None:
        return
    refused = answer.failure not in (None, Failure.NOT_HTTP)
    if refused or (answer.status or 0) >= 500:
        text = f"serves, but a request for {endpoint.path} failed: {answer.detail}"
        yield Disagreement("request", endpoint.name, endpoint.place, text, endpoint.since)
