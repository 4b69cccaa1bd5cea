"""What a prediction is made of: plain data; Swarm's words are made from it at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmctl.scheduler.filters import Shortages, words
from swarmctl.scheduler.restart import NotReplaced
from swarmctl.swarm.model import RestartPolicy

Counts = Mapping[str, Mapping[str, int]]

# What the Engine answers while there is no quorum.
NO_LEADER = (
    "The swarm does not have a leader. It's possible that too few managers are online. "
    "Make sure more than half of the managers are online."
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way in which it may end.

    Attributes:
        counts: tasks that run, by service and node name; every service is there.
        pending: tasks that find no node, by service; without zeros.
    """

    counts: Counts
    pending: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Gone:
    """Tasks of one service that nothing replaces.

    Attributes:
        count: how many.
        why: the rule that prevents it.
        policy: of the service.
    """

    count: int
    why: NotReplaced
    policy: RestartPolicy

    def __str__(self) -> str:
        return self.why.words(self.policy)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know about a prediction.

    Attributes:
        kind: a word for programs: quorum, leader, policy, volume, …
        text: for people.
        service: that it is about, or ``""``.
        node: that it is about, or ``""``.
    """

    kind: str
    text: str
    service: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Which nodes are lost, and what that takes away at once.

    Attributes:
        nodes: names.
        moved: tasks that are replaced, by service.
        gone: tasks that nothing replaces, by service.
        ended: tasks of global services, by service.
        quorum: whether enough managers remain to decide anything.
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
        loss: the nodes and what they take with them.
        before: tasks that run now, by service and node name.
        outcomes: what may be afterwards.
        exhaustive: whether nothing else is possible; else the outcomes were drawn with ``seed``.
        shortages: for services with pending tasks, why: each way in which it may come about.
        seed: of the draw, when there was one.
        warnings: what else to know, the gravest first.
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
        """For services with pending tasks, the words that ``docker service ps`` will show."""
        if not self.loss.quorum:
            return dict.fromkeys(self.pending(), NO_LEADER)
        return {name: " or ".join(map(words, ways)) for name, ways in self.shortages.items()}

    def pending(self) -> dict[str, tuple[int, int]]:
        """The least and the most pending tasks of each service that has any."""
        names = {name for outcome in self.outcomes for name in outcome.pending}
        return {
            name: (
                min(o.pending.get(name, 0) for o in self.outcomes),
                max(o.pending.get(name, 0) for o in self.outcomes),
            )
            for name in sorted(names)
        }
