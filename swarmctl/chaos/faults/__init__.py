"""The ways to take something away. Each fault is one small object: plan, inject, revert."""

from __future__ import annotations

from collections.abc import Callable

from swarmctl.chaos.faults.base import Fault, Setting
from swarmctl.chaos.faults.instance_stop import InstanceStop
from swarmctl.errors import unknown

# What a user may name, and how each is made.
FAULTS: dict[str, Callable[[Setting], Fault]] = {
    InstanceStop.name: InstanceStop,
}


def known_fault(name: str) -> str:
    """The name itself.

    Raises:
        UsageError: there is no such fault.
    """
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS)
    return name


__all__ = ["FAULTS", "Fault", "InstanceStop", "Setting", "known_fault"]
