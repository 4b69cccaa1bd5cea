"""When what happened, counted from the fault: the moments every run has in common.

``t_fault → t_unreachable → t_down → t_assigned → t_running → t_healthy → t_reverted``: pure
functions over a journal. A moment that never came is ``None``: a drained node is never Down, and
where nothing was lost nothing is assigned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarmctl.chaos.journal import Journal

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
        state: ``whole``; ``unnoticed``: gone, and the managers do not know; ``waiting``: they
            know, and nothing runs in its place yet; ``starting``: replacements are starting;
            ``missing``: it never got whole.
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


def stretches(journal: Journal, end_s: float) -> tuple[Stretch, ...]:
    """The run from the fault on, cut where the Swarm's state changed.

    Args:
        journal: a run that came to its fault.
        end_s: where the last stretch ends, in seconds since the fault.
    """
    at = phases(journal)
    healthy = at["t_healthy"]
    until = end_s if healthy is None else healthy
    services = journal.verdict.services if journal.verdict else ()
    if healthy is not None and services and not any(service.lost for service in services):
        return (Stretch(0.0, end_s, "whole"),)
    # Each cut is where a state begins; one that never began is left out.
    begins = [(0.0, "unnoticed" if at["t_down"] is not None else "waiting")]
    begins += [(at["t_down"], "waiting")] if at["t_down"] is not None else []
    begins += [(at["t_assigned"], "starting")] if at["t_assigned"] is not None else []
    if healthy is None:
        begins.append((max(moment for moment, _ in begins), "missing"))
    found, since = [], 0.0
    for (_, state), following in zip(begins, [*begins[1:], (until, "")], strict=True):
        stop = min(max(following[0], since), until)
        found += [Stretch(since, stop, state)] if stop > since else []
        since = stop
    if healthy is not None and end_s > healthy:
        found.append(Stretch(healthy, end_s, "whole"))
    return tuple(found)


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
