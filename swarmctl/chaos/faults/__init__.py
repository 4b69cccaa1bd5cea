"""One file a fault. Importing this package registers all of them."""

from __future__ import annotations

import importlib
import pkgutil

from swarmctl.chaos.fault.fault import Fault, FaultContext
from swarmctl.chaos.fault.kind import Kind
from swarmctl.chaos.fault.registry import registered
from swarmctl.reading.names import unknown

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

# Every fault that a user may name.
FAULTS: dict[str, Kind] = {name: registered[name].kind for name in sorted(registered)}


def known_fault(name: str) -> Kind:
    """The fault of that name.

    Raises:
        UsageError: there is no such fault.
    """
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS)
    return FAULTS[name]


def make_fault(name: str, context: FaultContext) -> Fault:
    """A fault that can be injected and reverted. Its name must be known."""
    return registered[name](context)
