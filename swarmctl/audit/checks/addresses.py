"""Free addresses in overlay networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prediction.addresses import size, used
from swarmctl.swarm.model import Network, Swarm

NAME = "addresses"
FINE = "every overlay network has addresses for the replicas of any one node"


def check(facts: Facts) -> Iterator[Check]:
    """A dead node's tasks keep their addresses until it is removed, so replacements need others."""
    if not facts.swarm.networks:
        yield Check(NAME, None, "the networks are not known", "docker network ls")
    for network in facts.swarm.networks:
        total = size(network)
        if network.driver != "overlay" or not total:
            continue
        free, needed = total - used(facts.swarm, network), _most_on_a_node(facts.swarm, network)
        if free < needed:
            detail = (
                f"{network.name}: {free} of {total} addresses free, one node's loss takes {needed}"
            )
            remedy = "a larger subnet (ipam in the compose file); docker node rm of dead nodes"
            yield Check(NAME, False, detail, remedy)
        elif free - needed < total // 10:
            detail = f"{network.name}: {free} of {total} addresses free"
            yield Check(NAME, True, detail, "a larger subnet (ipam in the compose file)")


def _most_on_a_node(swarm: Swarm, network: Network) -> int:
    """The most tasks with an address there that one node has."""
    tasks = Counter(
        task.node_id
        for task in swarm.tasks
        if task.active and any(id_ == network.id for id_, _ in task.addresses)
    )
    return max(tasks.values(), default=0)
