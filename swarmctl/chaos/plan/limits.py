"""The guards of an experiment, and what the user lets them allow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swarmctl.chaos.plan.window import Window


class Guard(StrEnum):
    """Every guard, by its name in files, options and journals; see ``run/guards.py``."""

    NO_PENDING_UNDO = "no-pending-undo"
    NO_OTHER_EXPERIMENT = "no-other-experiment"
    SWARM_HEALTHY = "swarm-healthy"
    QUORUM = "quorum"
    LEADER = "leader"
    BLAST_RADIUS = "blast-radius"
    CAPACITY = "capacity"
    INSTANCE = "instance"
    STOPPABLE = "stoppable"
    PROTECTED = "protected"
    TIME_WINDOW = "time-window"
    POSSIBLE = "possible"
    PROBES_ANSWER = "probes-answer"


# What ``--override`` may name: no override makes an impossible fault possible, or says which of
# several machines is meant.
OVERRIDABLE = tuple(guard for guard in Guard if guard not in (Guard.POSSIBLE, Guard.INSTANCE))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the guards allow.

    Args:
        max_nodes: number of nodes that may be lost at once.
        max_percent: share of the nodes that may be lost at once, 0 to 100. The guard
            ``blast-radius`` refuses only what exceeds both.
        window: when an experiment may run; ``None`` for always.
        overrides: names of guards whose refusal is ignored (and recorded).
    """

    max_nodes: int = 1
    max_percent: float = 34.0
    window: Window | None = None
    overrides: frozenset[str] = frozenset()
