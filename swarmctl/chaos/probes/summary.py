"""Counts of probe results, and the endpoints without an answer: pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from swarmctl.chaos.journal.journal import ProbeRecord, ProbeSummary
from swarmctl.chaos.probes.probe import Client, Endpoint, ProbeResult

Stretch = tuple[float, float]  # from when to when, run time


def sent_in(stretch: Stretch, results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """The results of the probes sent in a stretch."""
    return [result for result in results if stretch[0] < result.at_s <= stretch[1]]


def sent_outside(stretches: Sequence[Stretch], results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """The results of the probes sent in none of these stretches."""
    return [r for r in results if not any(sent_in(stretch, [r]) for stretch in stretches)]


def summaries(results: Sequence[ProbeResult]) -> tuple[ProbeSummary, ...]:
    """Count the results of each service."""
    by_service: dict[str, list[ProbeResult]] = {}
    for result in results:
        by_service.setdefault(result.endpoint.service, []).append(result)
    return tuple(_summary(name, found) for name, found in by_service.items())


def of_client(results: Sequence[ProbeResult], *clients: Client) -> list[ProbeResult]:
    """The results of the probes that stand for these clients."""
    return [result for result in results if result.endpoint.client in clients]


def records(results: Sequence[ProbeResult]) -> tuple[ProbeRecord, ...]:
    """The results as the journal keeps them."""
    return tuple(
        ProbeRecord(
            at_s=round(result.at_s, 3),
            service=result.endpoint.service,
            node=result.endpoint.node,
            ok=result.ok,
            latency_ms=round(result.latency_s * 1000, 1),
            detail=result.detail,
        )
        for result in results
    )


def longest_outage(results: Sequence[ProbeResult]) -> float:
    """The longest time without a good answer, in seconds.

    It lasts from the sending of the first lost probe to that of the next answered one, or to the
    end of the last lost probe if none was answered after it.
    """
    longest, since = 0.0, None
    for result in results:
        if result.ok:
            longest = max(longest, result.at_s - since) if since is not None else longest
            since = None
        else:
            since = result.at_s if since is None else since
            longest = max(longest, result.at_s + result.latency_s - since)
    return longest


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A probed place without a good answer.

    Args:
        place: the service or probe, its node and its address.
        error: of the last probe.
        bad_status: it answers over HTTP, but with a status that is no good one.
    """

    place: str
    error: str
    bad_status: bool = False

    def __str__(self) -> str:
        return f"{self.place}{' answers, but with' if self.bad_status else ':'} {self.error}"


def unanswered(
    results: Sequence[ProbeResult], endpoints: Mapping[str, Sequence[Endpoint]]
) -> tuple[Unanswered, ...]:
    """The endpoints without a good answer, each with its last error.

    Args:
        results: the results to consider, oldest first.
        endpoints: what is probed now, by service.
    """
    answered = {result.endpoint for result in results if result.ok}
    last = {result.endpoint: result for result in results}
    silent = tuple(
        _unanswered(endpoint, last.get(endpoint))
        for places in endpoints.values()
        for endpoint in places
        if endpoint not in answered
    )
    nowhere = tuple(
        Unanswered(name, "no node is left on which it can be reached")
        for name, places in endpoints.items()
        if not places
    )
    return silent + nowhere


def _unanswered(endpoint: Endpoint, last: ProbeResult | None) -> Unanswered:
    node = f" on {endpoint.node}" if endpoint.node else ""
    where = "" if endpoint.address == endpoint.service else f" ({endpoint.address})"
    place = f"{endpoint.service}{node}{where}"
    if last is None:
        return Unanswered(place, "not probed yet")
    return Unanswered(place, last.detail, last.bad_status)


def without_http(results: Sequence[ProbeResult]) -> set[str]:
    """The services that accept connections but never answered with HTTP."""
    kinds: dict[str, set[bool]] = {}
    for result in results:
        kinds.setdefault(result.endpoint.service, set()).add(result.not_http)
    return {name for name, found in kinds.items() if found == {True}}


def _summary(service: str, results: Sequence[ProbeResult]) -> ProbeSummary:
    latencies = [result.latency_s * 1000 for result in results if result.ok] or [0.0]
    p99 = quantiles(latencies * 2 if len(latencies) == 1 else latencies, n=100, method="inclusive")
    places = {f"{r.endpoint.node} {r.endpoint.address}".strip() for r in results}
    return ProbeSummary(
        service=service,
        sent=len(results),
        lost=sum(not result.ok for result in results),
        longest_outage_s=round(longest_outage(results), 2),
        median_ms=round(median(latencies), 1),
        p99_ms=round(p99[98], 1),
        endpoints=tuple(sorted(places)),
        failures=dict(Counter(r.detail for r in results if not r.ok).most_common()),
    )
