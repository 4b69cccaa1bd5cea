"""Whether all replicas fit when any one node is lost."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prediction.each import each
from swarmctl.prediction.predictor import Predictor
from swarmctl.reading.commands import word
from swarmctl.scheduler.filters import suits

NAME = "capacity"
FINE = "all replicas fit on the others when any one node is lost"


def check(facts: Facts) -> Iterator[Check]:
    """By the predictor; services that only one node may run have a check of their own."""
    alone = {
        service.name
        for service in facts.services
        if sum(suits(node, service) for node in facts.swarm.nodes) == 1
    }
    audited = {service.name for service in facts.services} - alone
    for risk in each(Predictor(facts.swarm)):
        for name, count in sorted(risk.pending.items()):
            if name in audited:
                detail = f"if {risk.node} is lost, {name} lacks {count}: {risk.reasons[name]}"
                yield Check(
                    NAME,
                    False,
                    detail,
                    f"more nodes; swarmctl chaos predict --lose {word(risk.node)}",
                )
