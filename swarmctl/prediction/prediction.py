"""A prediction as typed data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmctl.scheduler.filters import Shortages, words
from swarmctl.scheduler.restart import NotReplaced
from swarmctl.swarm.model import RestartPolicy

Counts = Mapping[str, Mapping[str, int]]

# The Engine's error while there is no quorum.
NO_LEADER = (
    "The swarm does not have a leader. It's possible that too few managers are online. "
    "Make sure more than half of the managers are online."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One possible outcome.

    Attributes:
        counts: tasks that run, by service and node name; has every service.
        pending: tasks that find no node, by service; no zeros.
    """

    counts: Counts
    pending: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Gone:
    """Tasks of one service that are not replaced.

    Attributes:
        count: how many.
        why: the rule that prevents a replacement.
        policy: of the service.
    """

    count: int
    why: NotReplaced
    policy: RestartPolicy

    def __str__(self) -> str:
        return self.why.words(self.policy)


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning about a prediction.

    Attributes:
        kind: a word for programs: quorum, leader, policy, volume, …
        text: for people.
        service: the service it concerns, or ``""``.
        node: the node it concerns, or ``""``.
    """

    kind: str
    text: str
    service: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """The lost nodes, and what becomes of their tasks.

    Attributes:
        nodes: their names.
        moved: tasks that are replaced, by service.
        gone: tasks that are not replaced, by service.
        ended: tasks of global services, by service.
        quorum: whether a majority of the managers remains.
        leader: whether the leader is among the nodes.
    """

    nodes: tuple[str, ...]
    moved: Mapping[str, int]
    gone: Mapping[str, Gone]
    ended: Mapping[str, int]
    quorum: bool
    leader: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """What happens when nodes are lost.

    Attributes:
        loss: the nodes and their tasks.
        before: tasks that run now, by service and node name.
        outcomes: the possible placements afterwards.
        exhaustive: no other outcome is possible.
        shortages: for services with pending tasks, each possible reason.
        seed: of the draw, if the outcomes were drawn at random.
        warnings: the gravest first.
    """

    loss: Loss
    before: Counts
    outcomes: tuple[Outcome, ...]
    exhaustive: bool
    shortages: Mapping[str, tuple[Shortages, ...]] = field(default_factory=dict)
    seed: int | None = None
    warnings: tuple[Notice, ...] = ()

    @property
    def reasons(self) -> dict[str, str]:
        """For services with pending tasks, the error that ``docker service ps`` will show."""
        if not self.loss.quorum:
            return dict.fromkeys(self.pending(), NO_LEADER)
        return {name: " or ".join(map(words, ways)) for name, ways in self.shortages.items()}

    def pending(self) -> dict[str, tuple[int, int]]:
        """The fewest and the most pending tasks of each service that has any."""
        names = {name for outcome in self.outcomes for name in outcome.pending}
        return {
            name: (
                min(o.pending.get(name, 0) for o in self.outcomes),
                max(o.pending.get(name, 0) for o in self.outcomes),
            )
            for name in sorted(names)
        }
