"""What the Engine answers when it is asked for logs: frames, and the lines in them. Pure.

https://docs.docker.com/reference/api/engine/ (ContainerAttach: stream format)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from swarmctl.reading.times import parse_time

_STREAMS = {1: "stdout", 2: "stderr"}
_ENGINE = 3  # a message of the Engine itself: it cannot read on
_HEADER = 8
# The Engine cuts a longer line in pieces of 16 KiB; nothing else that is larger is a frame.
_LARGEST = 1 << 20


class BrokenAnswerError(Exception):
    """The Engine answers something else, or its own message ends the lines."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line with the Engine's details of it."""

    at: datetime
    details: Mapping[str, str]
    stream: str
    text: str

    @property
    def task(self) -> str:
        """The id of the task that wrote it."""
        return self.details.get("com.docker.swarm.task.id", "")

    @property
    def node(self) -> str:
        """The id of the task's node."""
        return self.details.get("com.docker.swarm.node.id", "")


def records(chunks: Iterable[bytes], *, tty: bool) -> Iterator[Record]:
    """The lines of an answer with timestamps and details.

    Args:
        chunks: the answer's bytes, cut anywhere.
        tty: the service has a terminal: its lines are sent as they are, not in frames.

    Raises:
        BrokenAnswerError: with the Engine's words.
    """
    for stream, line in _plain(chunks) if tty else _frames(chunks):
        text = line.decode(errors="replace").rstrip("\r\n")
        if stream == _ENGINE:
            raise BrokenAnswerError(" ".join(text.split()))
        moment, _, rest = text.partition(" ")
        details, _, words = rest.partition(" ")
        try:
            at = parse_time(moment)
        except ValueError as fault:
            raise BrokenAnswerError(f"a line without a time: {text[:80]!r}") from fault
        yield Record(at, _details(details), _STREAMS.get(stream, ""), words)


def _details(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(","))
    return {unquote_plus(key): unquote_plus(value) for key, _, value in pairs}


def _plain(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    left = b""
    for chunk in chunks:
        *lines, left = (left + chunk).split(b"\n")
        yield from ((0, line) for line in lines)
    if left:
        yield 0, left


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _HEADER:
            stream, size = buffer[0], int.from_bytes(buffer[4:_HEADER], "big")
            if stream > _ENGINE or size > _LARGEST:
                raise BrokenAnswerError(f"no frames of a log: {bytes(buffer[:40])!r}")
            if len(buffer) < _HEADER + size:
                break
            yield stream, bytes(buffer[_HEADER : _HEADER + size])
            del buffer[: _HEADER + size]
