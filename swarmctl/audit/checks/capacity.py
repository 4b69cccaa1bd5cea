"""Whether all replicas fit when any one node is lost."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.prediction.each import each
from swarmctl.prediction.predictor import Predictor
from swarmctl.reading.commands import word
from swarmctl.scheduler.filters import suits
from swarmctl.swarm.model import Service, Swarm

NAME = "capacity"
FINE = "all replicas fit on the others when any one node is lost"


def check(facts: Facts) -> Iterator[Check]:
    """By the predictor; other checks have what one node alone may run, and what is not replaced."""
    audited = {s.name for s in facts.services if not _named_elsewhere(facts.swarm, s)}
    for risk in each(Predictor(facts.swarm)):
        for name, count in sorted({**risk.pending, **risk.gone}.items()):
            if name in audited:
                detail = f"if {risk.node} is lost, {name} lacks {count}: {risk.reasons[name]}"
                remedy = f"details: swarmctl chaos predict --lose {word(risk.node)}"
                yield Check(NAME, False, detail, remedy)


def _named_elsewhere(swarm: Swarm, service: Service) -> bool:
    alone = sum(suits(node, service) for node in swarm.nodes) == 1
    return alone or service.restart.condition == "none"
