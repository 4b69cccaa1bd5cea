"""Calls are made as fast as AWS allows, and no faster."""

from __future__ import annotations

from swarmctl.cloud.pace import Pace


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


def taken_at(calls: int, idle: float = 0.0) -> list[float]:
    """When each of so many calls was made, after so many idle seconds."""
    time = Time()
    pace = Pace(5, 2, time.clock, time.pause)
    time.now += idle
    times = []
    for _ in range(calls):
        pace.take()
        times.append(time.now - idle)
    return times


def test_a_burst_is_made_at_once_and_the_rest_at_the_rate() -> None:
    assert taken_at(8) == [0, 0, 0, 0, 0, 0.5, 1, 1.5]


def test_idle_time_saves_no_more_than_a_burst() -> None:
    assert taken_at(7, idle=1000) == [0, 0, 0, 0, 0, 0.5, 1]
