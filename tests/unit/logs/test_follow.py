"""Following shows each line once, whatever was read before and however often it is answered."""

from __future__ import annotations

import threading
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
from swarmctl.logs.frames import Record
from swarmctl.logs.line import Line
from swarmctl.logs.where import Chosen
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import ManagerError, NotNowError
from tests.unit.logs.test_where import CLOUD, FILE, TASK, shop

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


class Client:
    """A manager with a snapshot."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def snapshot(self) -> Swarm:
        return self.swarm


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


def test_a_later_task_is_known_and_a_new_manager_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: after a change of manager, all lines come twice, or those of new replicas not."""
    before, after = shop(FILE), shop(FILE, late=("wkr1", FILE))
    start = datetime.now(UTC)

    def record(number: int, task: str = "late") -> Record:
        details = {"com.docker.swarm.task.id": task, "com.docker.swarm.node.id": "id-wkr1"}
        return Record(start + timedelta(milliseconds=number), details, "stdout", f"line {number}")

    asked: list[datetime] = []

    def follow(client: Any, service: Any, since: datetime, silence: float) -> Iterator[Record]:
        asked.append(since)
        yield from map(record, range(2 + 2 * len(asked)))
        yield record(99, "gone")
        raise ManagerError("mgr1: the connection broke")

    monkeypatch.setattr(following, "connect", lambda *_, **__: Client(after))
    monkeypatch.setattr(following, "follow", follow)
    monkeypatch.setattr(following, "_AGAIN_S", 0.01)
    monkeypatch.setattr(following, "ENGINE_WINDOW", timedelta(0))
    notes: list[str] = []
    follower = Follower((), lambda _: Any, before.services, Chosen(), notes.append)  # type: ignore[arg-type, return-value]  # no CloudWatch
    lines = follower.lines(before, start, [], start)
    with closing(lines):  # type: ignore[type-var]  # a generator
        found = list(islice(lines, 9))
    late = [line.text for line in found if line.task == "late"]
    assert late == [f"line {number}" for number in range(8)]
    assert {(line.replica, line.node) for line in found if line.task == "late"} == {
        ("web.1", "wkr1")
    }
    assert [line.replica for line in found if line.task == "gone"] == ["web.?"]
    assert asked[0] == start
    assert notes[0] == "mgr1: the connection broke"


def test_managers_without_a_leader_are_asked_again_after_a_while_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: they are logged in to without a pause, and the user sees nothing."""
    said, waited = list[str](), threading.Event()

    def connect(*_: Any, **__: Any) -> Any:
        if len(tries) == 3:
            follower.close()
        tries.append(1)
        raise NotNowError("mgr1: the managers have no leader")

    tries: list[int] = []
    swarm = shop(FILE)
    none: Any = None
    follower = Follower((), none, swarm.services, Chosen(), said.append)
    monkeypatch.setattr(following, "connect", connect)
    monkeypatch.setattr(follower._over, "wait", lambda _: waited.set())
    assert list(follower.lines(swarm, datetime.now(UTC), [], datetime.now(UTC))) == []
    assert said == ["mgr1: the managers have no leader"]
    assert waited.is_set()


def test_a_terminal_that_was_stopped_lets_the_sources_wait() -> None:
    """Broken: while nobody reads, the lines of a busy service fill the memory."""
    none: Any = None
    follower = Follower((), none, (), Chosen(), print)
    assert follower._arrived.maxsize == following._AHEAD


def test_a_task_that_writes_to_the_cloud_from_an_update_on_is_followed_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: when a stack gets ``logging: awslogs``, its lines end without a word."""
    before, after = shop(FILE), shop(CLOUD, late=("wkr1", CLOUD))
    start = datetime.now(UTC)
    group: Any = Growing(start, already=2)

    def follow(*_: Any) -> Iterator[Record]:
        yield Record(start, {"com.docker.swarm.task.id": "late"}, "stdout", "of the node's copy")
        raise ManagerError("mgr1: the connection broke")

    monkeypatch.setattr(following, "connect", lambda *_, **__: Client(after))
    monkeypatch.setattr(following, "follow", follow)
    monkeypatch.setattr(following, "ENGINE_WINDOW", timedelta(0))
    follower = Follower((), lambda _: group, before.services, Chosen(), lambda _: None)
    limit = threading.Timer(5, follower.close)
    limit.start()
    lines = follower.lines(before, start, [], start)
    with closing(lines):  # type: ignore[type-var]  # a generator
        found = [line.text for line in islice(lines, 3)]
    limit.cancel()
    assert found == ["line 0", "line 1", "line 2"]
