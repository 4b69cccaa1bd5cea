"""Everything that can be read is shown; what cannot is named with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from swarmctl.cloud.logs import Event, LogsError, Stream
from swarmctl.logs import read as reading
from swarmctl.logs.cloudwatch import MOST_STREAMS, events_since, last_lines
from swarmctl.logs.engine import Answer
from swarmctl.logs.line import Line, as_data
from swarmctl.logs.read import read
from swarmctl.logs.where import Chosen, Names, Source
from tests.unit.logs.test_where import CLOUD, FILE, SOURCE, shop

NEVER = "z" * 25  # a task that the Swarm has forgotten


class Group:
    """A log group in memory: events by stream."""

    def __init__(self, **events: list[tuple[int, str]]) -> None:
        self._events = {name: [Event(at, name, text, f"{name}{at}") for at, text in told]
                        for name, told in events.items()}  # fmt: skip
        self.asked: list[str] = []

    def streams(self, group: str, prefix: str) -> list[Stream]:
        found = [Stream(name, events[-1].at) for name, events in self._events.items()]
        return sorted(found, key=lambda stream: -stream.last)

    def events(
        self, group: str, since: int, *, prefix: str = "", streams: Sequence[str] = ()
    ) -> Iterator[Event]:
        every = [event for events in self._events.values() for event in events]
        yield from sorted((e for e in every if e.at >= since), key=lambda event: event.at)

    def last_events(self, group: str, stream: str, number: int, since: int = 0) -> list[Event]:
        self.asked.append(stream)
        return [event for event in self._events[stream] if event.at >= since][-number:]


class Refusing(Group):
    def streams(self, group: str, prefix: str) -> list[Stream]:
        raise LogsError("CloudWatch Logs refused DescribeLogStreams: no")


def look(group: Group, swarm: Any, **options: Any) -> reading.Found:
    settings = {"since": None, "tail": 100, **options}
    client: Any = None
    return read(
        client, lambda _: group, swarm, swarm.services, settings.pop("chosen", Chosen()), **settings
    )


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What the nodes answer, by task."""
    known: dict[str, Answer] = {}

    def ask(client: Any, tasks: Any, names: Names, **_: Any) -> list[Answer]:
        return [known.get(task.id, Answer(task, ())) for task in tasks]

    monkeypatch.setattr(reading, "ask_each", ask)
    return known


def test_the_lines_of_a_dead_node_are_among_the_others(nodes: dict[str, Answer]) -> None:
    swarm = shop(CLOUD, dead=("wkr2", CLOUD), live=("wkr1", FILE))
    (dead, live) = sorted(swarm.tasks, key=lambda task: task.id)
    moment = datetime.fromtimestamp(2, UTC)
    nodes["live"] = Answer(live, (Line(moment, "web", "web.1", "live", "wkr1", "stdout", "b"),))
    group = Group(**{dead.container_id: [(1000, "a"), (3000, "c\n")]})
    found = look(group, swarm)
    assert [(line.text, line.node) for line in found.lines] == [
        ("a", "wkr2"), ("b", "wkr1"), ("c", "wkr2")
    ]  # fmt: skip
    assert found.missing == ()


def test_a_silent_node_and_a_silent_group_are_named_and_the_rest_is_shown(
    nodes: dict[str, Answer],
) -> None:
    swarm = shop(CLOUD, file=("wkr1", FILE), dead=("wkr2", FILE), cloud=("wkr1", CLOUD))
    by_id = {task.id: task for task in swarm.tasks}
    moment = datetime.fromtimestamp(2, UTC)
    line = Line(moment, "web", "web.1", "file", "wkr1", "stdout", "b")
    nodes["file"] = Answer(by_id["file"], (line,), "no answer within 8 s")
    found = look(Refusing(), swarm)
    assert found.lines == [line]
    assert found.missing == (
        "wkr1: lines of web.1 (file) may be missing: no answer within 8 s",
        "wkr2 is down: the lines of web.1 (dead) are on its disk; with logging: awslogs they would "
        "be in CloudWatch (docs/logs.md)",
        "/swarmctl/shop/web was not read: CloudWatch Logs refused DescribeLogStreams: no",
    )


def test_since_reads_everything_from_that_moment(nodes: dict[str, Answer]) -> None:
    swarm = shop(CLOUD)
    stream = f"web.2.{NEVER}/{'n' * 25}"
    group = Group(**{stream: [(1000, "early"), (2000, "one"), (3000, "two")]})
    found = look(group, swarm, since=datetime.fromtimestamp(2, UTC), tail=None)
    assert [(line.text, line.replica, line.task) for line in found.lines] == [
        ("one", "web.2", NEVER), ("two", "web.2", NEVER)
    ]  # fmt: skip
    none = look(group, swarm, since=datetime.fromtimestamp(2, UTC), chosen=Chosen(task="y"))
    assert none.lines == []


def test_of_many_streams_the_latest_are_read_and_the_rest_is_said() -> None:
    swarm = shop(CLOUD)
    streams = {f"web.1.{n:025}": [(n, "x")] for n in range(MOST_STREAMS + 3)}
    group = Group(**streams)
    lines, left = last_lines(
        group, SOURCE, Names.of(swarm), Chosen(), since=None, tail=1
    )  # fmt: skip
    assert len(lines) == len(group.asked) == MOST_STREAMS
    assert "web.1." + "0" * 25 not in group.asked
    assert "the 3 oldest were not read" in left


def test_more_streams_than_a_call_may_name_are_asked_for_in_several() -> None:
    """Broken: the lines of a hundred containers are shown as those of all."""
    asked: list[Sequence[str]] = []

    class Strict(Group):
        def events(
            self, group: str, since: int, *, prefix: str = "", streams: Sequence[str] = ()
        ) -> Iterator[Event]:
            asked.append(streams)
            yield from (Event(1, stream, "x") for stream in streams)

    source = Source("", "g", "web", "", tuple(f"{n:03}" for n in range(101)))
    since = datetime.fromtimestamp(0, UTC)
    assert len(list(events_since(Strict(), source, since))) == 101
    assert [len(streams) for streams in asked] == [100, 1]


def test_names_of_containers_are_asked_for_as_they_are() -> None:
    group = Group(c1=[(1, "x")], c2=[(2, "y")])
    source = Source("", "g", "web", "", ("c1",))
    lines, _ = last_lines(group, source, Names({}, {}, {}), Chosen(), since=None, tail=5)
    assert [line.text for line in lines] == ["x"]


def test_json_has_every_part_of_a_line() -> None:
    line = Line(datetime.fromtimestamp(1.5, UTC), "web", "web.1", "t", "wkr1", "stderr", "\x1b[2Jx")
    assert as_data(line) == {
        "at": "1970-01-01T00:00:01.500000Z", "service": "web", "replica": "web.1", "task": "t",
        "node": "wkr1", "stream": "stderr", "message": "\x1b[2Jx",
    }  # fmt: skip
