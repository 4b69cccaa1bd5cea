"""What the guards allow, as far as the user decides it."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.plan.window import Window

# The guards that ``--override`` may name. ``possible`` is missing: no override makes an impossible
# fault possible.
OVERRIDABLE = (
    "no-pending-undo",
    "no-other-experiment",
    "swarm-healthy",
    "quorum",
    "leader",
    "blast-radius",
    "capacity",
    "instance",
    "stoppable",
    "protected",
    "time-window",
    "probes-answer",
)


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
