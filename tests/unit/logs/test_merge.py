"""Lines of many replicas come in order of time, and none waits for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from swarmctl.logs.line import Line
from swarmctl.logs.merge import Window, merged

START = datetime(2026, 11, 28, 13, 0, tzinfo=UTC)


def at(seconds: float, text: str = "", replica: str = "web.1") -> Line:
    moment = START + timedelta(seconds=seconds)
    return Line(moment, "web", replica, "task", "wkr1", "stdout", text or str(seconds))


def texts(lines: object) -> list[str]:
    return [line.text for line in lines]  # type: ignore[attr-defined]


def test_replicas_are_merged_and_cut_together() -> None:
    parts = [[at(1), at(4)], [at(2), at(3)]]
    assert texts(merged(parts)) == ["1", "2", "3", "4"]
    assert texts(merged(parts, tail=3)) == ["2", "3", "4"]
    assert merged(parts, tail=0) == []


def test_a_line_that_arrives_late_takes_its_place_within_the_window() -> None:
    window = Window(timedelta(seconds=2))
    window.add(at(1), START + timedelta(seconds=1))
    window.add(at(0.5), START + timedelta(seconds=2))
    assert texts(window.ready(START + timedelta(seconds=2))) == []
    assert texts(window.ready(START + timedelta(seconds=3))) == ["0.5", "1"]


def test_a_clock_that_is_ahead_does_not_hold_a_line_back() -> None:
    window = Window(timedelta(seconds=2))
    window.add(at(3600), START)
    assert texts(window.ready(START + timedelta(seconds=2))) == ["3600"]
