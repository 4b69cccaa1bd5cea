"""What is expected of the Swarm while something is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a probe may fail.

    Args:
        success: least share of good answers, 0 to 1; ``None``: any.
        longest_outage_s: longest stretch without a good answer, in seconds; ``None``: any.
    """

    success: float | None = None
    longest_outage_s: float | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What the experiment tries to refute.

    Args:
        within_s: seconds from the fault until every service is at full strength again.
        never_below: replicas that serve at any moment, by service.
        never_below_share: the same as a share of the wanted replicas, 0 to 1, rounded up; becomes
            part of ``never_below`` when they are known (:meth:`resolved`).
        tolerances: by the probed service's or the probe's name; ``*`` for all others.
        every_node_success: least share of good answers, 0 to 1, for clients that go on using every
            node; ``None``: any.
    """

    within_s: float = 120.0
    never_below: Mapping[str, int] = field(default_factory=dict)
    never_below_share: Mapping[str, float] = field(default_factory=dict)
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    every_node_success: float | None = None

    def resolved(self, wanted: Mapping[str, int]) -> Hypothesis:
        """With numbers of replicas only.

        Args:
            wanted: replicas by service, of all services that are judged.

        Raises:
            UsageError: a service that is not judged, or more replicas than it wants.
        """
        floors = dict(self.never_below)
        for name in (*self.never_below, *self.never_below_share):
            if name not in wanted:
                raise unknown("service", name, wanted)
        for name, share in self.never_below_share.items():
            # Rounded up: half of three is two, whatever the floating point says.
            floors[name] = math.ceil(round(wanted[name] * share, 6))
        for name, floor in floors.items():
            if floor > wanted[name]:
                raise UsageError(
                    f"{name} is never to have less than {floor} replicas, but wants {wanted[name]}"
                )
        return replace(self, never_below=floors, never_below_share={})

    def __str__(self) -> str:
        lines = [
            f"within {self.within_s:g} s of the fault every service has all its wanted replicas "
            "running on live nodes, and the published ones answer"
        ]
        lines += [f"{name} never has less than {n}" for name, n in self.never_below.items()]
        lines += [f"{k} never has less than {v:.0%}" for k, v in self.never_below_share.items()]
        if self.every_node_success is not None:
            share = f"{self.every_node_success:.2%}"
            lines.append(f"{share} of the probes of clients that use every node succeed")
        for name, tolerance in self.tolerances.items():
            if tolerance.success is not None:
                lines.append(f"{tolerance.success:.2%} of the probes of {name} succeed")
            if tolerance.longest_outage_s is not None:
                lines.append(f"no outage of {name} lasts over {tolerance.longest_outage_s:g} s")
        return "; ".join(lines)
