"""Services that only one node can run."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.scheduler.filters import suits

NAME = "pinned"
FINE = "every service has more than one node that may run it"


def check(facts: Facts) -> Iterator[Check]:
    """Its replicas wait until this very node is back."""
    for service in facts.services:
        nodes = [node for node in facts.swarm.nodes if suits(node, service)]
        if service.replicas and not service.is_global and len(nodes) == 1:
            detail = f"{service.name}: only {nodes[0].name} may run it"
            remedy = "labels or constraints for a second node; data that stays behind must be moved"
            yield Check(NAME, False, detail, remedy)
