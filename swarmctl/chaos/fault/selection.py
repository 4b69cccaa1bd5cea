"""What a user asked for as targets: named nodes, or filters and a size for a random draw."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Selection:
    """The targets as the user describes them.

    Args:
        names: hostnames; if given, nothing is drawn.
        role: only nodes of this role; ``""`` for any.
        labels: only nodes with these labels.
        zone: only nodes of this availability zone (label ``az``).
        leader: only the leader.
        hosts: only nodes on which a replica of this service runs.
        service: for faults that target tasks: the service they belong to.
        count: how many to draw; one if neither ``count`` nor ``percent`` is given.
        percent: share of the eligible nodes to draw, 0 to 100, rounded up.
        seed: of the draw; equal seeds on equal Swarms draw equal targets.
    """

    names: tuple[str, ...] = ()
    role: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    leader: bool = False
    hosts: str = ""
    service: str = ""
    count: int | None = None
    percent: float | None = None
    seed: int | None = None

    def parameters(self) -> dict[str, Any]:
        """What a journal keeps, enough to select the same targets again."""
        if self.names:
            kept: dict[str, Any] = {"target": list(self.names)}
            return kept | ({"service": self.service} if self.service else {})
        kept = {
            "role": self.role,
            "labels": dict(self.labels),
            "az": self.zone,
            "leader": self.leader,
            "hosts-service": self.hosts,
            "service": self.service,
        }
        size = {"percent": self.percent} if self.percent else {"count": self.count or 1}
        return {k: v for k, v in kept.items() if v} | size | {"seed": self.seed}

    @property
    def drawn(self) -> bool:
        """Whether the targets are chosen at random."""
        return not self.names and not self.leader and self.percent != 100


# Most faults hit one random worker unless the user chooses otherwise.
WORKER = Selection(role="worker")


def merge(defaults: Selection, given: Mapping[str, Any]) -> Selection:
    """The user's choices merged over the fault's defaults.

    Any filter replaces the default filters; a count or a percentage replaces the default size.

    Args:
        defaults: the fault's own selection.
        given: fields of a selection; what the user did not give is missing.
    """
    if given.keys() - {"service", "seed", "count", "percent"}:
        defaults = Selection(percent=defaults.percent)
    if given.keys() & {"count", "percent"}:
        defaults = replace(defaults, count=None, percent=None)
    return replace(defaults, **given)


def new_seed() -> int:
    """A random seed, short enough to be typed again."""
    return secrets.randbelow(1_000_000)
