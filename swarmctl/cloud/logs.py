"""CloudWatch Logs: log groups, their streams, and the events in them.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import botocore.config

from swarmctl.cloud.pace import Pace
from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words

API = "CloudWatch Logs"

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTIONS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip

# GetLogEvents gives a megabyte at most, and empty pages before the end.
_PAGES_BACK = 10

_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=20
)


class LogsError(CloudError):
    """A call failed."""


@dataclass(frozen=True, slots=True)
class Group:
    """A log group."""

    name: str
    arn: str
    retention: int | None  # days; ``None``: for ever


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream; ``last`` is when something came in, as far as CloudWatch has noticed."""

    name: str
    last: int  # ms since 1970


@dataclass(frozen=True, slots=True)
class Event:
    """One line."""

    at: int  # ms since 1970
    stream: str
    text: str
    id: str = ""


class Logs:
    """The API of one region. All methods raise ``LogsError`` when a call fails.

    Args:
        client: boto3's client; ``None`` for the environment's.
        region: overrides the environment's.
    """

    def __init__(self, client: Any = None, region: str | None = None) -> None:
        self._api: Any = client or aws_client(aws_session(region), "logs", _CONFIG)
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
        self._paces = {"get_log_events": Pace(20, 20), "filter_log_events": Pace(5, 5)}

    def groups(self, prefix: str) -> list[Group]:
        """The groups whose names begin so."""
        found = self._pages("describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
        return [
            Group(g["logGroupName"], g["arn"].removesuffix(":*"), g.get("retentionInDays"))
            for g in found
        ]

    def tags(self, group: Group) -> dict[str, str]:
        """The tags of a group."""
        with errors_in_words(API, LogsError):
            return dict(self._api.list_tags_for_resource(resourceArn=group.arn)["tags"])

    def create(self, name: str, tags: Mapping[str, str]) -> None:
        """Create a group, which keeps its events for ever."""
        with errors_in_words(API, LogsError):
            self._api.create_log_group(logGroupName=name, tags=dict(tags))

    def keep_for(self, name: str, days: int) -> None:
        """Set how long a group keeps its events: one of :data:`RETENTIONS`, in days."""
        with errors_in_words(API, LogsError):
            self._api.put_retention_policy(logGroupName=name, retentionInDays=days)

    def delete(self, name: str) -> None:
        """Delete a group with all its events."""
        with errors_in_words(API, LogsError):
            self._api.delete_log_group(logGroupName=name)

    def streams(self, group: str, prefix: str) -> list[Stream]:
        """The streams of a group whose names begin so, the latest first."""
        found = self._pages(
            "describe_log_streams",
            "logStreams",
            logGroupName=group,
            **({"logStreamNamePrefix": prefix} if prefix else {}),
        )
        streams = [Stream(s["logStreamName"], _last(s)) for s in found]
        return sorted(streams, key=lambda stream: stream.last, reverse=True)

    def events(
        self, group: str, since: int, *, prefix: str = "", streams: Sequence[str] = ()
    ) -> Iterator[Event]:
        """The events since a moment (ms since 1970), in order of time.

        Args:
            group: its name.
            since: ms since 1970.
            prefix: how the streams' names begin.
            streams: their names instead, at most 100.
        """
        which: dict[str, Any] = {"logStreamNames": list(streams)} if streams else {}
        if prefix and not streams:
            which["logStreamNamePrefix"] = prefix
        for event in self._pages(
            "filter_log_events", "events", logGroupName=group, startTime=since, **which
        ):
            yield Event(
                event["timestamp"], event["logStreamName"], event["message"], event["eventId"]
            )

    def last_events(self, group: str, stream: str, number: int, since: int = 0) -> list[Event]:
        """The last events of a stream, in order of time.

        Args:
            group: its name.
            stream: its name.
            number: how many at most.
            since: none before this; ms since 1970.
        """
        found: list[Event] = []
        token: dict[str, str] = {}
        for _ in range(_PAGES_BACK if number else 0):  # CloudWatch refuses to give none
            self._paces["get_log_events"].take()
            with errors_in_words(API, LogsError):
                page = self._api.get_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    startTime=since,
                    startFromHead=False,
                    limit=min(number - len(found), 10_000),
                    **token,
                )
            found = [Event(e["timestamp"], stream, e["message"]) for e in page["events"]] + found
            back = page["nextBackwardToken"]
            if len(found) >= number or token.get("nextToken") == back:
                break
            token = {"nextToken": back}
        return found

    def _pages(self, operation: str, key: str, **request: Any) -> Iterator[dict[str, Any]]:
        pages = iter(self._api.get_paginator(operation).paginate(**request))
        pace = self._paces.get(operation)
        while True:
            if pace:
                pace.take()
            with errors_in_words(API, LogsError):
                page = next(pages, None)
            if page is None:
                return
            yield from page[key]


def _last(stream: Mapping[str, Any]) -> int:
    known = ("lastEventTimestamp", "lastIngestionTime", "creationTime")
    return max(int(stream.get(key) or 0) for key in known)
