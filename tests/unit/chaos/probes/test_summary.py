"""What counts as an outage, and how probes are counted."""

from __future__ import annotations

import pytest

from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.probe import Endpoint, ProbeResult
from swarmctl.chaos.probes.summary import longest_outage, summaries


def series(*marks: str) -> list[ProbeResult]:
    where = Endpoint("web", "wkr1", Http("http://10.0.0.1:80/"))
    return [
        ProbeResult(i / 10, where, mark == "o", 0.05, "") for i, mark in enumerate("".join(marks))
    ]


@pytest.mark.parametrize(
    ("marks", "seconds"),
    [("ooooo", 0.0), ("oxxxo", 0.3), ("oxoxxo", 0.2), ("oxx", 0.15), ("xo", 0.1), ("", 0.0)],
)
def test_the_longest_outage_lasts_from_the_first_loss_to_the_next_answer(
    marks: str, seconds: float
) -> None:
    assert longest_outage(series(marks)) == pytest.approx(seconds)


def test_an_outage_at_one_place_of_many_is_counted_as_losses() -> None:
    summary = summaries(series("oxoxoxoo"))[0]
    assert (summary.sent, summary.lost, summary.longest_outage_s) == (8, 3, 0.1)


def test_the_slowest_of_a_hundred_answers_is_beyond_the_99th_percentile() -> None:
    where = Endpoint("web", "wkr1", Http("http://10.0.0.1:80/"))
    results = [ProbeResult(i / 10, where, True, i / 1000, "HTTP 200") for i in range(1, 102)]
    summary = summaries(results)[0]
    assert (summary.median_ms, summary.p99_ms) == (51.0, 100.0)
    alone = summaries(results[:1])[0]
    assert (alone.median_ms, alone.p99_ms) == (1.0, 1.0)
