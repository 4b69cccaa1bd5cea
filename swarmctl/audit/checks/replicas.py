"""Replicas that are missing already."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.reading.commands import word
from swarmctl.swarm.missing import why_missing

NAME = "replicas"
FINE = "every replica runs"


def check(facts: Facts) -> Iterator[Check]:
    """What `swarmctl status --check` fails for."""
    for service in facts.services:
        missing = facts.swarm.missing(service)
        if missing and not service.is_job:
            why = "; ".join(why_missing(facts.swarm, service)) or "not created yet"
            detail = f"{service.name}: {missing} of {facts.swarm.wanted(service)} missing: {why}"
            yield Check(NAME, False, detail, f"docker service ps {word(service.name)}")
