"""The ways to take something away. Each fault is one small object: plan, inject, revert."""

from __future__ import annotations

from collections.abc import Callable

from swarmctl.chaos.faults.base import Fault, Setting
from swarmctl.chaos.faults.instance_stop import InstanceStop

# What a user may name, and how each is made.
FAULTS: dict[str, Callable[[Setting], Fault]] = {
    InstanceStop.name: InstanceStop,
}

__all__ = ["FAULTS", "Fault", "InstanceStop", "Setting"]
