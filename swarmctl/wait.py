"""The one way to wait: poll until a condition holds, or fail and report what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from swarmctl.errors import DeadlineExceededError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds and a way to let them pass; tests replace both."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


CLOCK = Clock()


def wait_for(
    what: str,
    poll: Callable[[], tuple[T | None, str]],
    *,
    timeout: float,
    interval: float = 0.25,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Call ``poll`` until it returns a result.

    Args:
        what: completes the sentence "waited 30 s for …".
        poll: returns ``(result, seen)``; a ``None`` result means "not yet", and ``seen`` is the
            state found instead.
        timeout: seconds until the wait fails.
        interval: seconds between two calls.
        clock: monotonic seconds; replaced in tests.
        pause: replaced in tests, or by ``Event.wait`` where the wait can be interrupted.

    Raises:
        DeadlineExceededError: the deadline passed; the message ends with what was seen last.
    """
    deadline = clock() + timeout
    while True:
        result, seen = poll()
        if result is not None:
            return result
        if clock() >= deadline:
            raise DeadlineExceededError(f"waited {timeout:g} s for {what}; last seen: {seen}")
        pause(interval)
