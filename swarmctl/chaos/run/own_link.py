"""Whether it was this machine that was cut off: then what it did not see shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.probes.probe import ProbeResult
from swarmctl.chaos.probes.summary import Stretch, sent_in

# While managers answer promptly, the next snapshot begins within this time.
BETWEEN_S = 1.0


@dataclass(slots=True)
class OwnLink:
    """Stretches in which nothing answered here: no manager, no other node, no probe.

    Args:
        reachable: whether a node (hostname) accepts a connection to its SSH port.
        nodes: hostnames of the nodes that the fault leaves alone.
        stretches: from when to when no manager and no node answered, in run time.
    """

    reachable: Callable[[str], bool]
    nodes: Sequence[str]
    stretches: list[Stretch] = field(default_factory=list)
    _heard_at: float = 0.0
    _is_cut: bool = False

    def heard(self, at_s: float) -> None:
        """A manager has answered."""
        self._heard_at, self._is_cut = at_s, False

    def no_manager(self, now: Callable[[], float]) -> None:
        """No manager has answered: connect to the other nodes, until one accepts."""
        if any(map(self.reachable, self.nodes)):
            self.heard(now())
            return
        since = self.stretches.pop()[0] if self._is_cut else self._heard_at
        self.stretches.append((since, now()))
        self._is_cut = True

    def cut_off(self, probes: Sequence[ProbeResult]) -> tuple[Stretch, ...]:
        """The stretches in which no probe was answered either.

        A stretch begins with the last snapshot, and the cut comes after it: until the next snapshot
        was due, probes may still have been answered. The last of them is where the cut begins.
        """
        found = []
        for since, until in self.stretches:
            sent = sent_in((since, until), probes)
            early = [p.at_s for p in sent if p.ok and p.at_s <= since + BETWEEN_S]
            silent_since = max([since, *early])
            if not any(p.ok for p in sent_in((silent_since, until), sent)):
                found.append((silent_since, until))
        return tuple(found)

    def is_cut_off(self, probes: Sequence[ProbeResult]) -> bool:
        """Whether this machine is cut off now."""
        return self._is_cut and self.stretches[-1][1] in {
            until for _, until in self.cut_off(probes)
        }
