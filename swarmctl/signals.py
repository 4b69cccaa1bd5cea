"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP): all three end a command in the same way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], Any]


class Handlers:
    """Take over the signals, except those that this process ignores (nohup); a context manager.

    Only the main thread of a process can; elsewhere it does nothing.

    Args:
        arrived: is called with each of the signals.
    """

    def __init__(self, arrived: Handler) -> None:
        self._handler = arrived
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take them over."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def end_like_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP raise ``KeyboardInterrupt`` too, so that all cleans up."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


def end_at_once() -> None:
    """From now on a signal ends the process without a word: nothing is left to clean up."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


@contextmanager
def interrupted_once(doing: str) -> Iterator[Callable[[], None]]:
    """The first signal raises ``KeyboardInterrupt``; further ones do not cut off the cleaning up.

    Args:
        doing: what is done then, for the answer to further signals.

    Yields:
        A function to call when the cleaning up begins for another reason.
    """
    shielded = threading.Event()

    def arrived(number: int, frame: FrameType | None) -> None:
        del frame
        if not shielded.is_set():
            shielded.set()
            raise KeyboardInterrupt
        acknowledge(f"{signal.Signals(number).name}: still {doing}; a signal does not stop it.")

    with Handlers(arrived):
        yield shielded.set


def acknowledge(text: str) -> None:
    """Print the answer to a signal. Not through Rich: it may be in the middle of a write."""
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"\n{text}\n".encode())
