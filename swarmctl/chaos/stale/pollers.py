"""Asks the listeners again and again while a run lasts: a thread for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol

from swarmctl.chaos.stale.history import History
from swarmctl.discovery.check.find import NotAsked
from swarmctl.discovery.check.source import Published, Source
from swarmctl.discovery.check.target_groups import TARGET_GROUPS
from swarmctl.errors import SwarmctlError

# At most this share of the time is spent asking, so that many services make it slower, not dearer.
_SHARE = 0.2


class Listeners(Protocol):
    """The listeners of a run."""

    def start(self, names: Callable[[], Collection[str]]) -> None:
        """Begin to ask.

        Args:
            names: of the endpoints that there were so far.
        """

    def await_first(self, seconds: float) -> None:
        """Wait until each has been asked once, but no longer than some seconds."""

    def close(self) -> Sequence[History]:
        """Stop, and return what each has said."""


class Pollers:
    """See :class:`Listeners`.

    Args:
        find: finds the sources; called once, beside the run.
        now: seconds since the run began.
        last_answer_s: how long an answer is waited for when the run ends.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[Source]],
        now: Callable[[], float],
        last_answer_s: float = 5.0,
    ) -> None:
        self._find, self._now, self._last_answer_s = find, now, last_answer_s
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._histories: list[History] = []
        self._found = threading.Event()
        self._asked: list[threading.Event] = []

    def start(self, names: Callable[[], Collection[str]]) -> None:
        """See :class:`Listeners`."""
        self._run("find listeners", lambda: self._start(names))

    def await_first(self, seconds: float) -> None:
        """See :class:`Listeners`."""
        until = time.monotonic() + seconds
        self._found.wait(seconds)
        for asked in self._asked:
            asked.wait(max(0.0, until - time.monotonic()))

    def close(self) -> Sequence[History]:
        """See :class:`Listeners`."""
        self._stop.set()
        until = time.monotonic() + self._last_answer_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return self._histories

    def _start(self, names: Callable[[], Collection[str]]) -> None:
        try:
            sources = self._find()
        except SwarmctlError as fault:
            sources = (NotAsked("the listeners", f"not found: {fault.message}"),)
        for source in sources:
            history = History(source.name, balances=source.name == TARGET_GROUPS)
            self._histories.append(history)
            self._asked.append(asked := threading.Event())
            self._run(source.name, partial(self._ask, source, history, names, asked))
        self._found.set()

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True, name=name)
        self._threads.append(thread)
        thread.start()

    def _ask(
        self,
        source: Source,
        history: History,
        names: Callable[[], Collection[str]],
        asked: threading.Event,
    ) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            began = time.monotonic()
            try:
                said = source.ask(names())
            except SwarmctlError as fault:
                said = Published(source.name, fault=fault.message)
            if self._stop.is_set():
                return  # the run is being counted
            history.add(self._now(), said)
            asked.set()
            took = time.monotonic() - began
            pause = max(source.every_s - took, took * (1 - _SHARE) / _SHARE)
