"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol, cast

from swarmctl.audit.check import Check
from swarmctl.audit.checks import (
    addresses,
    autolock,
    backups,
    ca_rotation,
    capacity,
    certificates,
    credentials,
    disk,
    images,
    managers,
    network,
    nodes,
    pinned,
    replicas,
    restart_policy,
    spread,
)
from swarmctl.audit.facts import Facts


class _Module(Protocol):
    NAME: str
    FINE: str  # what is said when the check finds nothing
    check: Callable[[Facts], Iterator[Check]]


CHECKS = cast(
    tuple[_Module, ...],
    (
        replicas,
        nodes,
        managers,
        autolock,
        backups,
        ca_rotation,
        certificates,
        images,
        credentials,
        capacity,
        pinned,
        restart_policy,
        spread,
        addresses,
        disk,
        network,
    ),
)
NAMES = tuple(module.NAME for module in CHECKS)


def audit(facts: Facts) -> tuple[Check, ...]:
    """The lines of all checks; at least one each."""
    return tuple(
        line
        for module in CHECKS
        for line in (tuple(module.check(facts)) or (Check(module.NAME, True, module.FINE),))
    )


def fails(checks: Iterable[Check], accepted: Collection[str] = ()) -> bool:
    """Whether something would keep the Swarm from failing over, other than what is accepted.

    Args:
        checks: the lines.
        accepted: names of checks.
    """
    return any(check.ok is False and check.name not in accepted for check in checks)
