"""One file a fault. Importing this package registers all of them."""

from __future__ import annotations

import importlib
import pkgutil

from swarmctl.chaos.fault.fault import Fault, FaultContext, UndoAction
from swarmctl.chaos.fault.kind import Kind
from swarmctl.chaos.fault.registry import registered
from swarmctl.reading.names import unknown

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


class _Faults(dict[str, Kind]):
    def __missing__(self, name: str) -> Kind:
        raise unknown("fault", name, self)


# Every fault that a user may name. ``FAULTS[name]`` raises ``UsageError`` for any other name.
FAULTS = _Faults({name: registered[name].kind for name in sorted(registered)})


def make_fault(name: str, context: FaultContext) -> Fault:
    """A fault that can be injected and reverted. Its name must be known."""
    return registered[name](context)


def undo_action(kind: Kind) -> UndoAction | None:
    """What each undo step of a fault does; ``None``: there is nothing to undo."""
    return registered[kind.name].undo_action
