"""Services whose replicas all share a node or a zone."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.scheduler.filters import suits

NAME = "spread"
FINE = "no service has several replicas in one place only"


def check(facts: Facts) -> Iterator[Check]:
    """It comes back elsewhere, but is down until then: advice, no failure."""
    for service in facts.services:
        serving = facts.swarm.serving(service)
        where = [n for n in facts.swarm.nodes if n.id in {task.node_id for task in serving}]
        if len(serving) < 2 or service.is_global or service.is_job:
            continue
        zones = {n.zone for n in facts.swarm.nodes if n.zone and suits(n, service)}
        if len(where) == 1:
            detail = f"{service.name}: all {len(serving)} replicas are on {where[0].name}"
            yield Check(NAME, True, detail, "swarmctl rebalance")
        elif len({n.zone for n in where}) == 1 < len(zones):
            detail = f"{service.name}: all {len(serving)} replicas are in {where[0].zone}"
            yield Check(
                NAME, True, detail, "deploy.placement.preferences: [spread: node.labels.az]"
            )
