"""Following shows each line once, whatever was read before and however often it is answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from swarmctl.cloud.logs import Event, LogsError
from swarmctl.logs import follow as following
from swarmctl.logs.cloudwatch import millis
from swarmctl.logs.follow import Follower
from swarmctl.logs.line import Line
from swarmctl.logs.where import Chosen
from tests.unit.logs.test_where import CLOUD, TASK, shop

STREAM = f"web.3.{TASK}/{'n' * 25}"


class Growing:
    """A log group that has one more event each time it is asked, and fails once."""

    def __init__(self, start: datetime, already: int) -> None:
        self.start, self.known, self.failed = start, already, False

    def events(
        self, group: str, since: int, *, prefix: str = "", streams: Sequence[str] = ()
    ) -> Iterator[Event]:
        if self.known == 4 and not self.failed:
            self.failed = True
            raise LogsError("CloudWatch Logs refused FilterLogEvents: slow down")
        self.known += 1
        every = [self.event(n) for n in range(self.known)]
        yield from (event for event in every if event.at >= since)

    def event(self, number: int) -> Event:
        at = millis(self.start + timedelta(milliseconds=number))
        return Event(at, STREAM, f"line {number}", str(number))


def line(event: Event) -> Line:
    at = datetime.fromtimestamp(event.at / 1000, UTC)
    return Line(at, "web", "web.3", TASK, "n" * 25, "", event.text)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_POLL_S", 0.01)
    monkeypatch.setattr(following, "_TICK_S", 0.01)
    monkeypatch.setattr(following, "CLOUD_WINDOW", timedelta(0))


def followed(group: Any, shown: list[Line], earliest: datetime) -> tuple[list[str], list[str]]:
    """The next five lines, and what was noted."""
    swarm, notes = shop(CLOUD), list[str]()
    follower = Follower((), lambda _: group, swarm.services, Chosen(), notes.append)
    lines = follower.lines(swarm, datetime.now(UTC), shown, earliest)
    with closing(lines):  # type: ignore[type-var]  # a generator
        return [line.text for line in islice(lines, 5)], notes


def test_what_was_read_and_what_is_answered_again_is_shown_once() -> None:
    start = datetime.now(UTC)
    group = Growing(start, already=2)
    shown = [line(group.event(0)), line(group.event(1))]
    texts, notes = followed(group, shown, start)
    assert texts == [f"line {number}" for number in range(2, 7)]
    assert notes == ["/swarmctl/shop/web: CloudWatch Logs refused FilterLogEvents: slow down"]


def test_nothing_older_than_what_was_asked_for_is_shown() -> None:
    start = datetime.now(UTC)
    group = Growing(start, already=3)
    late = start + timedelta(milliseconds=2)
    texts, _ = followed(group, [line(group.event(2))], late)
    assert texts[0] == "line 3"
