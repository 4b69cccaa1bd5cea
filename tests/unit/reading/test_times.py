"""The Engine's timestamps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from swarmctl.reading.times import parse_time, time_or_none


def test_nanoseconds_are_cut_and_zones_become_utc() -> None:
    assert parse_time("2026-01-02T03:04:05.123456789Z").microsecond == 123456
    moment = parse_time("2026-01-02T05:04:05.1+02:00")
    assert moment == datetime(2026, 1, 2, 3, 4, 5, 100000, UTC)
    assert moment.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks a time zone"):
        parse_time("2026-01-31T12:00:00")


def test_a_time_before_the_first_year_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        parse_time("0001-01-01T00:00:00+14:00")


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00Z", "soon"])
def test_an_unset_time_is_none(text: str) -> None:
    assert time_or_none(text) is None
