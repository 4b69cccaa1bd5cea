"""Server-sent events for any number of viewers: a snapshot first, then differences.

Each message is made once and shared. A viewer that comes back with ``Last-Event-ID`` gets what it
has missed, if that is still kept; else a snapshot. It lives on one event loop; nothing here blocks.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from swarmctl.web.changes import changes
from swarmctl.web.document import Document

# Differences that are kept for viewers that come back: a minute or more.
KEPT = 256
# A viewer that is so many messages behind does not read any more: it is cut off, and comes back.
BEHIND = 512


class Feed:
    """What is published, and who reads it."""

    def __init__(self) -> None:
        # A viewer of an earlier process must get a snapshot: its numbers mean nothing here.
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._document: Document | None = None
        self._status: dict[str, Any] = {}
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._readers: set[asyncio.Queue[bytes | None]] = set()

    @property
    def viewers(self) -> int:
        """How many read it now."""
        return len(self._readers)

    def publish(self, document: Document, status: Mapping[str, Any]) -> None:
        """Offer a newer document.

        Args:
            document: whole.
            status: what else the page shows: when the managers were heard, which one answered.
        """
        first = self._document is None
        change = changes(self._document or {}, document)
        self._document, self._status = document, dict(status)
        if first:
            self._send(self._snapshot())
        elif change:
            self._number += 1
            message = self._message("delta", {"changes": change, "status": self._status})
            self._kept.append((self._number, message))
            self._send(message)

    def tell(self, status: Mapping[str, Any]) -> None:
        """Offer only a newer status: nothing has changed, or no manager answers."""
        self._status = dict(status)
        self._send(_event("status", self._status))

    def close(self) -> None:
        """End every stream."""
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    async def stream(self, last_id: str = "") -> AsyncIterator[bytes]:
        """The events for one viewer, until it leaves or is too far behind.

        Args:
            last_id: of the last event that it has, ``""`` for none.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BEHIND)
        missed = self._since(last_id)
        self._readers.add(queue)
        try:
            yield b"retry: 1000\n\n"
            for message in missed:
                yield message
            while (message_or_end := await queue.get()) is not None:
                yield message_or_end
        finally:
            self._readers.discard(queue)

    def _since(self, last_id: str) -> list[bytes]:
        if self._document is None:
            return [_event("status", self._status)] if self._status else []
        epoch, _, text = last_id.partition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else -1
        oldest = self._kept[0][0] if self._kept else self._number + 1
        if epoch == self._epoch and oldest - 1 <= number <= self._number:
            missed = [message for at, message in self._kept if at > number]
            return [*missed, _event("status", self._status)]
        return [self._snapshot()]

    def _snapshot(self) -> bytes:
        return self._message("snapshot", {"document": self._document, "status": self._status})

    def _message(self, kind: str, data: Mapping[str, Any]) -> bytes:
        return _event(kind, data, f"{self._epoch}-{self._number}")

    def _send(self, message: bytes) -> None:
        for queue in list(self._readers):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._readers.discard(queue)
                while not queue.empty():  # it may never read them
                    queue.get_nowait()
                queue.put_nowait(None)


def _event(kind: str, data: Mapping[str, Any], event_id: str = "") -> bytes:
    head = f"id: {event_id}\n" if event_id else ""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {kind}\ndata: {text}\n\n".encode()
