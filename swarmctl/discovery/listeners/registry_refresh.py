"""Renews pull credentials in the agent's process; see :mod:`swarmctl.registry.refresh`.

It publishes nothing, but wants what a listener has: a thread of its own, repetition after a
failure, and a place in the log and ``/metrics``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.registry.refresh import Item, Result, refresh
from swarmctl.swarm.engine import Engine

# Seconds between two looks; less if credentials are due earlier. Services that were deployed by
# hand do not tell when theirs are.
_LONGEST_S, _SHORTEST_S = 300.0, 5.0
_RETRY_S = 60.0  # after a failure


class RegistryRefresh:
    """A listener that renews what is due.

    Args:
        engine: connects to the Swarm for one look.
        note: called with what was renewed, and with what is left alone.
        clock: monotonic seconds; replaced in tests.
        renew: replaced in tests.
    """

    name = "registry refresh"

    def __init__(
        self,
        engine: Callable[[], AbstractContextManager[Engine]],
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        renew: Callable[[Engine], list[Item]] = refresh,
    ) -> None:
        self._engine, self._note, self._clock, self._renew = engine, note, clock, renew
        self._next = 0.0
        self._failed = ""  # what, at the last look
        self._left_alone: set[tuple[str, str]] = set()

    @property
    def refresh_s(self) -> float:
        """Seconds until the next look."""
        return max(_SHORTEST_S, self._next - self._clock())

    def publish(self, edition: Edition) -> None:
        """Renew what is due; a new edition alone is no reason to look."""
        del edition
        if (wait := self._next - self._clock()) > 0:
            if self._failed:  # it has not become well meanwhile
                raise PublishError(self._failed, retry_s=wait)
            return
        self._failed = ""
        with self._engine() as engine:
            items = self._renew(engine)
        due = [item.due_in.total_seconds() for item in items if item.due_in is not None]
        wait = max(_SHORTEST_S, min([_LONGEST_S, *due]))
        self._next = self._clock() + wait
        self._say(items)
        if failed := [item.line() for item in items if item.result == Result.FAILED]:
            self._failed, self._next = "; ".join(failed), self._clock() + _RETRY_S
            raise PublishError(self._failed, retry_s=_RETRY_S)

    def _say(self, items: Sequence[Item]) -> None:
        alone = {(i.service, i.detail): i for i in items if i.result == Result.LEFT_ALONE}
        said = [i for i in items if i.result == Result.RENEWED]
        said += [item for key, item in alone.items() if key not in self._left_alone]
        self._left_alone = set(alone)
        for item in said:
            self._note(f"{self.name}: {item.line()}")
