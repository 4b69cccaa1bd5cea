"""Calls are made as fast as AWS allows, and no faster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from swarmctl.cloud import load_balancer
from swarmctl.cloud.load_balancer import ElbApi, Paces
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


class Listing:
    """A client whose answers come in so many pages."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    def get_paginator(self, _: str) -> Listing:
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        for number in range(self.pages):
            last = number == self.pages - 1
            yield {"Listeners": [number]} | ({} if last else {"NextMarker": "more"})


def test_all_that_asks_for_the_environments_load_balancers_has_one_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: AWS counts the account's calls, and each object thinks that it is alone."""
    waits: list[float] = []
    monkeypatch.setattr(load_balancer, "_PACES", Paces(waits.append))
    monkeypatch.setattr(load_balancer, "new_client", lambda: Listing(1))
    for _ in range(2):
        api = ElbApi()
        for _ in range(20):
            api.pages("describe_listeners", "Listeners")
    assert len(waits) == 4, "of 40 reads, 36 at once"


def test_each_page_counts_as_a_call() -> None:
    waits: list[float] = []
    listed = ElbApi(Listing(40), waits.append).pages("describe_listeners", "Listeners")
    assert len(listed) == 40
    assert len(waits) == 4
