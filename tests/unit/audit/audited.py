"""Facts of made-up Swarms for the checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from swarmctl.audit.check import Check
from swarmctl.audit.facts import Facts
from swarmctl.swarm.parse import parse_swarm
from tests.unit.scheduler.swarms import Raw

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def facts(raw: Raw, **more: Any) -> Facts:
    """Facts of a Swarm; all of its services are audited."""
    swarm = parse_swarm(raw)
    return replace(Facts(swarm, swarm.services, NOW), **more)


def found(module: ModuleType, given: Facts) -> list[tuple[bool | None, str]]:
    """What a check finds: whether it is all right, and the detail; each has a remedy."""
    lines: Iterator[Check] = module.check(given)
    listed = list(lines)
    assert all(line.name == module.NAME and line.remedy for line in listed)
    return [(line.ok, line.detail) for line in listed]
