"""Lines that CloudWatch Logs keeps: also those of tasks whose node is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Protocol

from swarmctl.cloud.logs import Event, Stream
from swarmctl.logs.line import Line
from swarmctl.logs.where import Chosen, Names, Source

# Each task has a stream, old ones too. The latest are asked; GetLogEvents allows 25 a second.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MOST_STREAMS = 60
_AT_ONCE = 6
_STREAMS_A_CALL = 100  # FilterLogEvents


class CloudLogs(Protocol):
    """What is needed of :class:`swarmctl.cloud.logs.Logs`."""

    def streams(self, group: str, prefix: str) -> list[Stream]:
        """The streams of a group, the latest first."""

    def events(
        self, group: str, since: int, *, prefix: str = "", streams: Sequence[str] = ()
    ) -> Iterator[Event]:
        """The events since a moment, in order of time."""

    def last_events(self, group: str, stream: str, number: int, since: int = 0) -> list[Event]:
        """The last events of a stream, in order of time."""


# The API of a region; "" for the environment's.
Regions = Callable[[str], CloudLogs]


def last_lines(
    api: CloudLogs,
    source: Source,
    names: Names,
    chosen: Chosen,
    *,
    since: datetime | None,
    tail: int,
) -> tuple[list[Line], str]:
    """The last lines of each of a source's streams.

    Args:
        api: of the source's region.
        source: which streams.
        names: of a snapshot.
        chosen: whose lines.
        since: none before this.
        tail: so many of each stream at most.

    Returns:
        The lines, and what was left out (``""``: nothing).
    """
    known = source.streams or [s.name for s in api.streams(source.group, source.prefix)]
    wanted = [s for s in known if chosen.has(names.of_stream(s, source.service))]
    begin = millis(since) if since else 0

    def ask(stream: str) -> list[Line]:
        return [
            line_of(event, source, names)
            for event in api.last_events(source.group, stream, tail, begin)
        ]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [line for lines in pool.map(ask, wanted[:MOST_STREAMS]) for line in lines]
    more = len(wanted) - MOST_STREAMS
    return found, (
        f"{source.group} has {len(wanted)} streams of {source.service}; the {more} oldest were not "
        "read: name a --task, or give --since with --tail all"
        if more > 0
        else ""
    )


def lines_since(
    api: CloudLogs, source: Source, names: Names, chosen: Chosen, since: datetime
) -> Iterator[Line]:
    """All lines of a source since a moment; see :func:`events_since`."""
    for event in events_since(api, source, since):
        line = line_of(event, source, names)
        if chosen.has(names.of_stream(event.stream, source.service)):
            yield line


def events_since(api: CloudLogs, source: Source, since: datetime) -> Iterator[Event]:
    """All events of a source since a moment; of each hundred streams in order of time."""
    for begin in range(0, max(1, len(source.streams)), _STREAMS_A_CALL):
        streams = source.streams[begin : begin + _STREAMS_A_CALL]
        yield from api.events(source.group, millis(since), prefix=source.prefix, streams=streams)


def line_of(event: Event, source: Source, names: Names) -> Line:
    """An event as a line. The driver does not tell stdout from stderr."""
    writer = names.of_stream(event.stream, source.service)
    return Line(
        datetime.fromtimestamp(event.at / 1000, UTC),
        writer.service,
        writer.replica,
        writer.task,
        writer.node,
        "",
        event.text.rstrip("\r\n"),
    )


def millis(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
