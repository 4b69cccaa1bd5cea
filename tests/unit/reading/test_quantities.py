"""Durations, sizes and percentages mean what Go and the docker CLI mean by them."""

from __future__ import annotations

import pytest

from swarmctl.reading import quantities

MAX = "2562047h47m16.854775807s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("300ms", 0.3), ("1µs", 1e-6), ("1μs", 1e-6),
        ("1us", 1e-6), ("1ns", 1e-9), ("-1m", -60), ("+5s", 5), ("0", 0), ("-0", 0), (".5s", 0.5),
        ("5.s", 5), ("30s1m", 90), ("1m1m", 120), (MAX, (2**63 - 1) / 1e9),
        ("-2562047h47m16.854775808s", -(2**63) / 1e9),
    ],
)  # fmt: skip
def test_durations_are_read_as_go_reads_them(text: str, seconds: float) -> None:
    assert quantities.duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "5", "1h1", "-", "--1s", "1d", "1w", "1h 1m", " 1s", "1h-1m", "1.5.5s", ".s", "1e3s",
        "\uff11s", "1S", "9999999999h", "2562047h47m16.854775808s", "1s\n",
    ],
)  # fmt: skip
def test_what_go_refuses_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        quantities.duration(text)


def test_a_number_without_a_unit_is_told_to_have_one() -> None:
    with pytest.raises(ValueError, match="'5' is not a duration such as 30s or 1m30s; it needs a"):
        quantities.duration("5")


@pytest.mark.parametrize(("value", "seconds"), [(3, 3), (0.5, 0.5), ("90", 90), ("1m30s", 90)])
def test_plain_numbers_are_seconds(value: float | str, seconds: float) -> None:
    assert quantities.seconds(value) == seconds


@pytest.mark.parametrize("value", [-1, "-1s"])
def test_a_time_to_wait_is_not_negative(value: float | str) -> None:
    with pytest.raises(ValueError, match="is negative"):
        quantities.seconds(value)


@pytest.mark.parametrize(
    ("text", "size"), [("512M", 512 << 20), ("1.5g", 3 << 29), ("50 MiB", 50 << 20), ("7b", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert quantities.size(text) == size


@pytest.mark.parametrize("text", ["", "m", "1x", "-1", "5i", " 5m"])
def test_sizes_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|number|unit"):
        quantities.size(text)


@pytest.mark.parametrize(("value", "number"), [("99.5%", 99.5), (0, 0), ("100%", 100), ("5", 5)])
def test_percentages(value: float | str, number: float) -> None:
    assert quantities.percent(value) == number


@pytest.mark.parametrize("value", ["101%", -1, "x%", "nan%"])
def test_percentages_that_cannot_be(value: float | str) -> None:
    with pytest.raises(ValueError, match="is not a percentage"):
        quantities.percent(value)
