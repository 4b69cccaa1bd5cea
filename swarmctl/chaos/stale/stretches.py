"""From when to when a listener named what did not serve. Pure.

Times are run times; a stretch is from its first moment to its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from swarmctl.chaos.journal.listeners import ListenerRecord, StaleEndpoint
from swarmctl.chaos.probes.summary import Stretch
from swarmctl.chaos.stale.history import Asked, History, Served
from swarmctl.discovery.endpoint import Endpoint

# Probes lost in a row for so long, and an endpoint does not answer: a slow one is not dead.
_SILENT_S = 3.0


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
    every = (each for key in sorted(keys) for each in _stale(history, key, served, probes, end_s))
    stale = _once(every)
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
        tuple(sorted(s for key in keys for s in _delays(history, key, served, end_s))),
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


def _delays(
    history: History, key: tuple[str, str], served: Sequence[Served], end_s: float
) -> Iterator[float]:
    """How long after it began to serve an endpoint was named; 0 if the snapshots were later."""
    name, place = key
    states = [
        (one.at_s, any(e.place == place and name in history.names(e) for e in one.answering))
        for one in served
    ]
    named = _named(history, key, end_s)
    for since, until in _true(states, end_s):
        first = next((start for start, end in named if end > since and start < until), None)
        if first is not None and since > served[0].at_s:
            yield round(max(0.0, first - since), 3)


def _once(every: Iterable[StaleEndpoint]) -> list[StaleEndpoint]:
    """An endpoint that was named under several names at the same time is one."""
    found: list[StaleEndpoint] = []
    for one in sorted(every, key=lambda each: (each.place, each.since_s)):
        last = found[-1] if found else None
        if last is None or last.place != one.place or one.since_s > last.until_s:
            found.append(one)
            continue
        plain = max(last, one, key=lambda each: (not each.name.startswith("_"), each.until_s))
        longest = max(last, one, key=lambda each: each.until_s)
        found[-1] = replace(longest, name=plain.name, since_s=last.since_s)
    return found


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
    """From the first of several lost probes to the next answered one, if that is long."""
    runs = [(ok, [p.at_s for p in group]) for ok, group in groupby(probes, key=lambda p: p.ok)]
    ends = [sent[0] for _, sent in runs[1:]] + [end_s]
    return [
        (sent[0], until)
        for (ok, sent), until in zip(runs, ends, strict=False)
        if not ok and len(sent) > 1 and until - sent[0] >= _SILENT_S
    ]


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
