"""From when to when a listener named what did not serve. Pure.

Times are run times; a stretch is from its first moment to its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from swarmctl.chaos.journal.listeners import ListenerRecord, StaleEndpoint
from swarmctl.chaos.stale.history import Asked, History, Served
from swarmctl.discovery.endpoint import Endpoint

Stretch = tuple[float, float]
# So many probes lost in a row, and an endpoint does not answer: a single one may be chance.
_LOST_IN_A_ROW = 2


def record(
    history: History,
    served: Sequence[Served],
    probes: Sequence[Asked],
    end_s: float,
    users: Sequence[Asked] | None = None,
) -> ListenerRecord:
    """What the journal keeps of a listener.

    Args:
        history: its answers.
        served: which endpoints served, oldest first.
        probes: of all endpoints, oldest first.
        end_s: of the run.
        users: probes through the load balancer, if the listener is one: they are what is lost.
    """
    heard = history.heard
    keys = {
        (name, place) for one in heard for name, places in one.places.items() for place in places
    }
    stale = [each for key in sorted(keys) for each in _stale(history, key, served, probes, end_s)]
    if users is not None:
        stale = [_of_users(one, users) for one in stale]
        asked = [p for p in users if any(s.since_s <= p.at_s <= s.until_s for s in stale)]
        sent, lost = len(asked), _lost(asked)
    else:
        sent, lost = sum(one.sent for one in stale), sum(one.lost for one in stale)
    ends = [after.first_s for _, after in pairwise(heard)] + [end_s]
    return ListenerRecord(
        history.name,
        round(history.gap_s, 3),
        history.asked,
        tuple(sorted(stale, key=lambda one: (one.since_s, one.name, one.place))),
        sent,
        lost,
        tuple(
            (round(one.first_s, 3), round(until, 3), one.fault)
            for one, until in zip(heard, ends, strict=True)
            if one.fault
        ),
    )


def _stale(
    history: History,
    key: tuple[str, str],
    served: Sequence[Served],
    probes: Sequence[Asked],
    end_s: float,
) -> Iterator[StaleEndpoint]:
    name, place = key

    def among(endpoints: Iterable[Endpoint]) -> bool:
        return any(e.place == place and name in history.names(e) for e in endpoints)

    node = next((e.node for one in served for e in one.known if e.place == place), "")
    there = [p for p in probes if (p.node, p.port) == (node, int(place.rpartition(":")[2]))]
    counted = [(one.at_s, among(one.known)) for one in served]
    answering = _true([(one.at_s, among(one.answering)) for one in served], end_s)
    answering = _without(answering, _unanswered(there, end_s))
    named = _named(history, key, end_s)
    for since, until in _without(named, answering):
        if since in {start for start, _ in named} and until in {start for start, _ in answering}:
            continue  # the listener was faster than the snapshots
        sent = [probe for probe in there if since <= probe.at_s <= until]
        yield StaleEndpoint(
            name,
            place,
            round(since, 3),
            round(until, 3),
            _first(at for at, yes in counted if since <= at <= until and not yes),
            len(sent),
            _lost(sent),
        )


def _of_users(one: StaleEndpoint, users: Sequence[Asked]) -> StaleEndpoint:
    sent = [probe for probe in users if one.since_s <= probe.at_s <= one.until_s]
    return replace(one, sent=len(sent), lost=_lost(sent))


def _lost(probes: Sequence[Asked]) -> int:
    return sum(not probe.ok for probe in probes)


def _named(history: History, key: tuple[str, str], end_s: float) -> list[Stretch]:
    """When it was named: until the first answer without it; an answer that failed says nothing."""
    name, place = key
    found: list[Stretch] = []
    since, last = None, 0.0
    for one in history.heard:
        if one.fault:
            continue
        if place in one.places.get(name, ()):
            since, last = one.first_s if since is None else since, one.last_s
        elif since is not None:
            found.append((since, one.first_s))
            since = None
    if since is not None:
        found.append((since, last if history.heard[-1].fault else end_s))
    return found


def _true(states: Sequence[tuple[float, bool]], end_s: float) -> list[Stretch]:
    """The stretches in which a state was true; each state lasts until the next one."""
    edges = [*states, (end_s, False)]
    found: list[Stretch] = []
    for (since, yes), (until, _) in pairwise(edges):
        if yes and found and found[-1][1] == since:
            found[-1] = (found[-1][0], until)
        elif yes:
            found.append((since, until))
    return found


def _unanswered(probes: Sequence[Asked], end_s: float) -> list[Stretch]:
    """From the first of several lost probes to the next answered one."""
    found: list[Stretch] = []
    for ok, group in groupby(probes, key=lambda probe: probe.ok):
        run = list(group)
        if ok and found and found[-1][1] == end_s:
            found[-1] = (found[-1][0], run[0].at_s)
        elif not ok and len(run) >= _LOST_IN_A_ROW:
            found.append((run[0].at_s, end_s))
    return found


def _without(stretches: Sequence[Stretch], others: Sequence[Stretch]) -> list[Stretch]:
    """The parts of stretches that are in none of the others."""
    left = list(stretches)
    for start, end in others:
        left = [
            (a, b)
            for since, until in left
            for a, b in ((since, min(until, start)), (max(since, end), until))
            if b > a
        ]
    return left


def _first(moments: Iterable[float]) -> float | None:
    return next((round(at, 3) for at in moments), None)
