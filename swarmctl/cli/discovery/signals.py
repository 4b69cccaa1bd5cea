"""SIGTERM and Ctrl-C set an event, so that a command can end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from swarmctl.signals import SIGNALS


@contextmanager
def until_signal() -> Iterator[threading.Event]:
    """An event that the first SIGTERM, SIGINT or SIGHUP sets; the second ends the process."""
    stop = threading.Event()
    before: dict[signal.Signals, Any] = {}

    def arrived(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, before[signal.Signals(number)])
        stop.set()

    for name in SIGNALS:
        before[name] = signal.signal(name, arrived)
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
