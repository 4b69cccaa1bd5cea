"""Restart policies that lose a replica with its node."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts

NAME = "restart-policy"
FINE = "every replica may be replaced"


def check(facts: Facts) -> Iterator[Check]:
    """With ``none`` nothing replaces it; see also SW040 and SW041 of ``stack lint``."""
    for service in facts.services:
        if service.restart.condition == "none" and service.mode == "replicated":
            detail = f"{service.name}: with restart condition none, lost replicas are not replaced"
            yield Check(NAME, False, detail, "deploy.restart_policy.condition: any")
