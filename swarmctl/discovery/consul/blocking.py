"""Blocking queries: which index the client has, and how long it waits. Pure.

https://developer.hashicorp.com/consul/api-docs/features/blocking
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarmctl.reading import quantities

DEFAULT_S, LONGEST_S = 300.0, 600.0


@dataclass(frozen=True, slots=True)
class BlockingQuery:
    """Wait until the index is another than this one, but no longer than some seconds."""

    index: int
    seconds: float


def read_blocking(query: Mapping[str, Sequence[str]], spread: float) -> BlockingQuery | None:
    """What a query asks for; ``None`` if it is to be answered at once.

    Args:
        query: ``index`` and ``wait``, a Go duration or a number of seconds.
        spread: between 0 and 1: how much of wait/16 is added, as Consul does, so that clients that
            began to wait together do not come back together.

    Raises:
        ValueError: one of them cannot be read; the message is Consul's.
    """
    text = next(iter(query.get("index", ())), "")
    try:
        index = int(text or 0)
    except ValueError:
        raise ValueError("Invalid index") from None
    wait = next(iter(query.get("wait", ())), "")
    try:
        seconds = quantities.seconds(wait) if wait else DEFAULT_S
    except ValueError:
        raise ValueError("Invalid wait time") from None
    if index <= 0:
        return None
    seconds = min(seconds or DEFAULT_S, LONGEST_S)
    return BlockingQuery(index, seconds * (1 + spread / 16))
