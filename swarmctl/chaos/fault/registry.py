"""Where faults register themselves.

A fault is written as a class, in a file of ``swarmctl.chaos.faults`` with its name::

    @fault(Kind("drain", summary="…", undo="…", effect=Effect.DRAINED, past_tense="was drained"))
    class Drain(Fault):
        ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from swarmctl.chaos.fault.fault import Fault
from swarmctl.chaos.fault.kind import Kind

F = TypeVar("F", bound=type[Fault])

# By the fault's name.
registered: dict[str, type[Fault]] = {}


def fault(kind: Kind) -> Callable[[F], F]:
    """Register a class as a fault of this kind."""

    def register(cls: F) -> F:
        assert kind.name not in registered, f"two faults are called {kind.name}"
        cls.kind = kind
        registered[kind.name] = cls
        return cls

    return register
