"""One check: everything is read, and read again where there is a disagreement.

While the Swarm changes, sources that are read one after the other differ for a moment; only what
two readings have in common counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.compare import Disagreement, compare
from swarmctl.discovery.check.request import ask_endpoints
from swarmctl.discovery.check.source import Published, Source
from swarmctl.discovery.endpoint import Catalogue
from swarmctl.swarm.model import Swarm

_NOTHING = "nothing that names endpoints was found: no agent, namespace or load balancer"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result.

    Attributes:
        catalogue: of the Swarm.
        sources: the names of those that were compared with it.
        requested: how many endpoints were sent a request.
        disagreements: sorted by name.
    """

    catalogue: Catalogue
    sources: tuple[str, ...]
    requested: int
    disagreements: tuple[Disagreement, ...]


class Examination(Protocol):
    """Something to compare that is more than names of endpoints."""

    def examine(self, found: Catalogue) -> list[Disagreement]:
        """All disagreements with a catalogue."""


def check(
    snapshot: Callable[[], Swarm],
    sources: Sequence[Source],
    settle: float,
    pause: Callable[[float], None] = time.sleep,
    *,
    examinations: Sequence[Examination] = (),
    balanced: Callable[[Swarm], Collection[str] | None] = lambda _: None,
) -> Checked:
    """Compare the Swarm with what names its endpoints, and with a real request to each.

    Args:
        snapshot: the Swarm now, with host ports that the managers forgot.
        sources: what names endpoints; that there is none is a disagreement.
        settle: seconds between two readings.
        pause: replaced in tests.
        examinations: what else is compared.
        balanced: the services that only a load balancer may reach; ``None``: not known.

    Raises:
        SwarmctlError: the Swarm cannot be read.
    """
    first = _read(snapshot(), sources, examinations, balanced)
    if not first.disagreements:
        return first
    pause(settle)
    second = _read(snapshot(), sources, examinations, balanced)
    lasting = set(first.disagreements)
    return Checked(
        second.catalogue,
        second.sources,
        second.requested,
        tuple(each for each in second.disagreements if each in lasting),
    )


def _read(
    swarm: Swarm,
    sources: Sequence[Source],
    examinations: Sequence[Examination],
    balanced: Callable[[Swarm], Collection[str] | None],
) -> Checked:
    found = catalogue(swarm)
    names = {endpoint.name for endpoint in found.endpoints}
    published: list[Published] = []
    for source in sources:
        published.append(source.ask(names))
        # One that cannot list its names is asked for those that another one still has.
        names |= {name for name in published[-1].places if not name.startswith("_")}
    hidden = balanced(swarm)
    answers = ask_endpoints([e for e in found.endpoints if e.service not in (hidden or ())])
    more = [each for examination in examinations for each in examination.examine(found)]
    if not sources:
        more.append(Disagreement("discovery", "", "", _NOTHING))
    every = {*compare(swarm, found, published, answers, hidden), *more}
    disagreements = tuple(sorted(every, key=lambda d: (d.name, d.place, d.source, d.text)))
    return Checked(found, tuple(s.name for s in sources), len(answers), disagreements)
