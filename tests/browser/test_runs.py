"""The view of chaos runs: a run in progress is followed, two stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs
from tests.browser.support import opened
from tests.unit.chaos import report_runs
from tests.unit.web.simulated import Simulated, served, swarm

ONE, OTHER = "20260101-000000-instance-stop", "20260102-000000-drain"


@pytest.fixture
def kept(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture
def url(kept: Runs, tmp_path: Path) -> Iterator[str]:
    with served(Simulated(swarm(3, 1, 1)), tmp_path / "runs") as found:
        yield found


def keep(runs: Runs, journal: Journal, name: str) -> Journal:
    found = replace(journal, id=name)
    runs.save(found)
    return found


def test_two_runs_stand_side_by_side_on_the_same_axes_in_the_same_colours(
    browser: Browser, kept: Runs, url: str, tmp_path: Path
) -> None:
    keep(kept, report_runs.lost_node(tmp_path / "a"), ONE)
    keep(kept, report_runs.drained(tmp_path / "b"), OTHER)
    with opened(browser, f"{url}#runs/{ONE}/{OTHER}") as page:
        expect(page.locator("svg.chart")).to_have_count(2)
        expect(page.get_by_role("img", name=f"Serving replicas during {ONE}")).to_be_visible()
        areas = [
            page.locator("svg.chart")
            .nth(n)
            .locator(".area")
            .evaluate_all("found => found.map(each => each.getAttribute('class'))")
            for n in (0, 1)
        ]
        assert areas[0] == areas[1] != []
        faults = page.locator("svg.chart .fault").evaluate_all(
            "found => found.map(each => each.getAttribute('x1'))"
        )
        assert len(faults) == 2
        assert faults[0] == faults[1]
        expect(page.get_by_text("undo plan")).to_have_count(2)
        page.set_viewport_size({"width": 380, "height": 760})
        for chart in page.locator("svg.chart").all():  # it is drawn anew each second
            words = chart.locator("text[text-anchor]")
            expect(words.last).to_have_text("healthy")
            boxes = [word.bounding_box() for word in words.all()]
            for one, other in combinations(filter(None, boxes), 2):
                beside = one["x"] + one["width"] <= other["x"]
                assert beside or one["y"] + one["height"] <= other["y"], boxes


def test_a_run_in_progress_is_followed_until_it_has_ended(
    browser: Browser, kept: Runs, url: str, tmp_path: Path
) -> None:
    whole = report_runs.lost_node(tmp_path / "a")
    now = replace(whole, outcome="", verdict=None, ended_s=None, marks=whole.marks[:4])
    keep(kept, now, ONE)
    with opened(browser, f"{url}#runs/{ONE}") as page:
        expect(page.locator("section .warn")).to_have_text("in progress")
        expect(page.locator("dl")).to_contain_text(whole.marks[3].text)
        keep(kept, whole, ONE)
        expect(page.locator("section .good")).to_contain_text("run elsewhere")
        expect(page.locator("tbody .good")).to_have_text("held")


def test_without_runs_the_page_says_where_it_looked(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    with opened(browser, f"{url}#runs") as page:
        expect(page.locator("main")).to_contain_text(f"There is no run in {tmp_path / 'runs'}.")
        expect(page.locator("main")).to_contain_text("swarmctl chaos run")
