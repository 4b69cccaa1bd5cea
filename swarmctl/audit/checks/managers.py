"""Whether the Swarm can lose a manager."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prediction.quorum import quorum_without
from swarmctl.reading.commands import word

NAME = "managers"
FINE = "a majority remains without any one manager"

_MORE = "ansible-playbook playbooks/site.yml -e managers={}"


def check(facts: Facts) -> Iterator[Check]:
    """Without a majority of the managers nothing is replaced."""
    swarm = facts.swarm
    if not swarm.managers:
        yield Check(NAME, None, "the snapshot shows no managers", "docker node ls")
        return
    for node in swarm.managers:
        if node.reachability != "reachable" or not node.live:
            state = node.reachability or node.state
            remedy = f"start it, or: docker node demote {word(node.id)}"
            yield Check(NAME, False, f"{node.name} is {state}: it counts for the majority", remedy)
    quorum = quorum_without(swarm, ())
    if quorum.remaining - 1 < quorum.needed:
        managers = f"{quorum.managers} manager{'s' if quorum.managers > 1 else ''}"
        detail = (
            f"{quorum.remaining} of {managers} reachable, {quorum.needed} needed: if one is lost, "
            "nothing is replaced"
        )
        more = max(3, quorum.managers + 1 - quorum.managers % 2)
        remedy = _MORE.format(more) if quorum.remaining == quorum.managers else "see above"
        yield Check(NAME, False, detail, remedy)
    elif quorum.managers % 2 == 0:
        detail = f"{quorum.managers} managers can lose no more than {quorum.managers - 1} can"
        yield Check(NAME, True, detail, _MORE.format(quorum.managers + 1))
