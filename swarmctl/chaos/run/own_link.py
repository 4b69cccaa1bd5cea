"""Whether it was this machine that was cut off: then what it did not see shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swarmctl.chaos.probes.probe import ProbeResult
from swarmctl.chaos.probes.summary import Stretch, sent_in


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
        """The stretches in which no probe was answered either."""
        return tuple(s for s in self.stretches if not any(p.ok for p in sent_in(s, probes)))

    def is_cut_off(self, probes: Sequence[ProbeResult]) -> bool:
        """Whether this machine is cut off now."""
        return self._is_cut and self.stretches[-1] in self.cut_off(probes)
