"""The moments that every run has, counted from the fault.

``t_fault → t_unreachable → t_down → t_assigned → t_running → t_healthy → t_reverted``: pure
functions over a journal. A moment that never came is ``None``: a drained node is never Down, and
where nothing was lost nothing is assigned.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from swarmctl.chaos.journal.journal import Journal

# In the order in which they come, each with its name for people.
NAMES = {
    "t_fault": "fault",
    "t_unreachable": "unreachable",
    "t_down": "down",
    "t_assigned": "assigned",
    "t_running": "running",
    "t_healthy": "healthy",
    "t_reverted": "reverted",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a run during which the Swarm was in one state.

    Args:
        since_s: seconds since the fault.
        until_s: the same.
        state: ``whole``; ``unnoticed``: something is gone, and the managers do not know;
            ``waiting``: they know, and its replacements have no node yet; ``starting``: they have;
            ``missing``: it never recovered; ``doubt``: a new leader has not heard of all nodes yet;
            ``blind``: no manager answers.
    """

    since_s: float
    until_s: float
    state: str


def phases(journal: Journal) -> dict[str, float | None]:
    """The moments of a run, in seconds since the fault.

    Of several targets, or several replacements, the last one counts: a moment is when it was true
    of all of them.

    Args:
        journal: a run, over or not.

    Returns:
        Every key of :data:`NAMES`; all are ``None`` when the fault never came.
    """
    fault = journal.moment("fault")
    if fault is None:
        return dict.fromkeys(NAMES)
    moments = {
        "t_fault": fault,
        "t_unreachable": _last(_before_revert(journal, "unreachable")),
        "t_down": _last(_before_revert(journal, "node-down")),
        "t_assigned": _last(t.assigned_s for t in journal.tasks if t.replacement),
        "t_running": _last(t.running_s for t in journal.tasks if t.replacement),
        "t_healthy": _healthy(journal),
        "t_reverted": _last((*journal.moments("nodes-ready"), *journal.moments("reverted"))),
    }
    return {k: None if at is None else round(at - fault, 3) for k, at in moments.items()}


def stretches(journal: Journal) -> tuple[Stretch, ...]:
    """The run from its first sample on, cut where the Swarm's state changed.

    Args:
        journal: a run that came to its fault, with samples.
    """
    fault = journal.moment("fault") or 0.0
    at = phases(journal)
    times = [sample.at_s - fault for sample in journal.samples]
    blind = [(since - fault, until - fault) for since, until, _ in journal.blind]
    last = max([*times, (journal.ended_s or 0.0) - fault, *(m.at_s - fault for m in journal.marks)])
    cuts = {*times, 0.0, last, *(edge for both in blind for edge in both)}
    cuts |= {moment for moment in at.values() if moment is not None}
    ordered = sorted(cut for cut in cuts if times[0] <= cut <= last)
    found: list[Stretch] = []
    for since, until in pairwise(ordered):
        middle = (since + until) / 2
        seen_blind = any(start <= middle < end for start, end in blind)
        state = "blind" if seen_blind else _state(journal, at, since, bisect_right(times, since))
        if found and found[-1].state == state:
            found[-1] = replace(found[-1], until_s=until)
        else:
            found.append(Stretch(since, until, state))
    return tuple(found)


def _state(journal: Journal, at: Mapping[str, float | None], since: float, index: int) -> str:
    """The state from a moment on that is no more than one sample old."""
    sample = journal.samples[max(index - 1, 0)]
    assigned = at["t_assigned"]
    begin, end = unnoticed(journal, at)
    if begin <= since < end:
        return "unnoticed"
    if sum(sample.services.values()) >= wanted(journal, at, since):
        return "whole"
    if "unknown" in sample.states.values():
        return "doubt"
    if at["t_healthy"] is None or assigned is None:
        return "missing"
    return "waiting" if since < assigned else "starting"


def unnoticed(journal: Journal, at: Mapping[str, float | None]) -> tuple[float, float]:
    """From when to when something was gone while the managers counted on it; empty when never.

    Nodes that come back by themselves may never be called Down: then it ends when replacements
    are given a node.
    """
    services = journal.verdict.services if journal.verdict else ()
    down, assigned, unreachable = at["t_down"], at["t_assigned"], at["t_unreachable"]
    if down is not None:
        return (0.0, down) if any(service.lost for service in services) else (0.0, 0.0)
    if unreachable is not None and assigned is not None:
        return unreachable, max(assigned, unreachable)
    return 0.0, 0.0


def wanted(journal: Journal, at: Mapping[str, float | None], moment: float) -> int:
    """How many replicas are wanted at a moment: global services want none on a node that is away.

    Args:
        journal: the run.
        at: its :func:`phases`.
        moment: seconds since the fault.
    """
    services = journal.verdict.services if journal.verdict else ()
    back = at["t_reverted"]
    if moment < 0 or not services or (back is not None and moment >= back):
        return sum(journal.wanted.values())
    return sum(service.wanted for service in services)


def line(journal: Journal) -> str:
    """The moments that came, as one line of text; ``""`` when the fault never came."""
    came = [(at, NAMES[key]) for key, at in phases(journal).items() if at is not None]
    came.sort(key=lambda item: item[0])
    return " → ".join(name if at == 0 else f"{name} +{at:.1f} s" for at, name in came)


def _healthy(journal: Journal) -> float | None:
    """The beginning of the full strength that lasted."""
    whole, short = _last(journal.moments("redistributed")), _last(journal.moments("shortage"))
    return None if whole is None or (short is not None and short > whole) else whole


def _before_revert(journal: Journal, kind: str) -> tuple[float, ...]:
    """What is noticed once things are being put back is not the fault's doing."""
    revert = journal.moment("revert")
    return tuple(at for at in journal.moments(kind) if revert is None or at <= revert)


def _last(moments: Iterable[float | None]) -> float | None:
    return max((at for at in moments if at is not None), default=None)
