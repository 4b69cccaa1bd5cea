"""The picture of a run: valid, the same every time, and it shows what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.text import Text

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report.picture import canvas, figure
from swarmctl.chaos.report.picture.strip import Name, lowest_level
from tests.unit.chaos import report_runs as runs

CASES: dict[str, tuple[Callable[[Path], Journal], tuple[str, ...]]] = {
    "node loss": (
        runs.lost_node,
        ("wkr2 (target)", "missing", "unnoticed 13.2 s", "wanted"),
    ),
    "drain": (runs.drained, ("wkr2 (target)", "missing", "starting 6.0 s")),
    "pressure": (runs.under_pressure, ("wkr2 (target)", "wanted")),
    "task-kill": (runs.killed_tasks, ("missing", "wkr2")),
    "leader loss": (runs.lost_leader, ("in doubt", "no answer 10.0 s")),
    "partition": (
        runs.partitioned,
        ("running twice", "web (3 ran twice)", "out of reach, not noticed"),
    ),
}
NEVER = {
    "drain": ("out of reach, not noticed", "down"),
    "pressure": ("missing", "starting"),
    "task-kill": ("(target)", "out of reach"),
    "leader loss": ("missing", "running twice"),
    "node loss": ("in doubt", "running twice", "out of reach, not noticed"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_run_is_drawn_with_what_happened(case: str, tmp_path: Path) -> None:
    make, words = CASES[case]
    svg = figure.draw(make(tmp_path))
    ElementTree.fromstring(svg)
    texts = set(re.findall(r">([^<>]+)</text>", svg)) | set(re.findall(r"<!-- (.+?) -->", svg))
    for word in words:
        assert any(word in text for text in texts), word
    for word in NEVER.get(case, ()):
        assert not any(word in text.split(", ") for text in texts), word


def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path, lossy=True)
    assert figure.draw(journal) == figure.draw(journal)
    assert figure.file([journal, journal], "svg") == figure.file([journal, journal], "svg")


def test_lost_probes_are_counted_in_the_picture(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path, lossy=True)
    lost = sum(not probe.ok for probe in journal.probe_log)
    assert lost > 20
    assert f"answered, {lost} lost" in figure.draw(journal)


def test_its_ink_is_the_pages(tmp_path: Path) -> None:
    svg = figure.draw(runs.lost_node(tmp_path))
    assert canvas.INK not in svg
    assert "currentColor" in svg


def test_a_file_follows_the_readers_light_or_dark(tmp_path: Path) -> None:
    content = figure.file([runs.lost_node(tmp_path)], "svg").decode()
    assert content.startswith("<svg")
    assert "prefers-color-scheme:dark" in content
    ElementTree.fromstring(content)


def test_two_pictures_of_one_page_share_no_names(tmp_path: Path) -> None:
    one, other = runs.lost_node(tmp_path / "a"), runs.drained(tmp_path / "b")
    ids = [set(re.findall(r'\bid="([^"]+)"', figure.draw(run))) for run in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", figure.draw(one)))
    assert used <= ids[0]


def test_runs_that_are_compared_fit_the_same_frame(tmp_path: Path) -> None:
    long, short = runs.lost_node(tmp_path / "a"), runs.drained(tmp_path / "b")
    both = canvas.frame([long, short])
    assert both.right_s == canvas.frame([long]).right_s > canvas.frame([short]).right_s


def test_what_never_came_to_its_fault_has_no_picture() -> None:
    assert figure.draw(runs.by_hand()) == ""
    assert figure.file([runs.by_hand()], "png") == b""


def test_text_from_outside_cannot_break_out_of_the_picture(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    first = journal.samples[0]
    evil = "</text><script>alert(1)</script>"
    first.services[evil] = 1
    first.nodes[evil] = 1
    first.states[evil] = "ready"
    svg = figure.draw(journal)
    assert "<script" not in svg
    ElementTree.fromstring(svg)


def test_a_name_is_never_read_as_a_formula(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    name = r"$\frac{x$"
    journal.samples[0].services[name] = 1
    journal.samples[0].nodes[name] = 1
    journal.samples[0].states[name] = "ready"
    assert name in figure.draw(journal)
    assert figure.file([journal], "png")


def test_a_long_run_is_not_megabytes(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    first = journal.probe_log[0]
    journal.probe_log = tuple(replace(first, at_s=i / 1000) for i in range(30_000))
    assert len(figure.draw(journal)) < 300_000


def test_a_colour_means_one_service_in_every_picture_and_never_a_node_too(tmp_path: Path) -> None:
    first = runs.lost_node(tmp_path / "a")
    frame = canvas.frame([first, runs.killed_tasks(tmp_path / "b")])
    services = {frame.colour(name) for name in frame.services}
    nodes = {frame.colour(name) for name in frame.nodes}
    assert len(services) == len(frame.services)
    assert len(nodes) == len(frame.nodes)
    assert not services & nodes
    alone = canvas.frame([first])
    assert all(alone.colour(name) == frame.colour(name) for name in frame.services)


@pytest.mark.parametrize("inches", [canvas.HALF, canvas.PHONE])
def test_no_legend_lies_on_the_title_below_it(tmp_path: Path, inches: float) -> None:
    """Broken: with "three_tier_api (2 ran twice)" it takes a line more, and has no room for it."""
    journal = runs.partitioned(tmp_path)
    names = {"web": "three_tier_web", "api": "three_tier_api", "db": "three_tier_db"}
    journal.samples = [
        replace(s, services={names[name]: count for name, count in s.services.items()})
        for s in journal.samples
    ]
    journal.duplicates = {names[name]: count for name, count in journal.duplicates.items()}
    journal.wanted = {names[name]: count for name, count in journal.wanted.items()}
    limits = canvas.frame([journal])
    drawn = figure._figure(2, limits, inches)
    part = drawn.subfigures(1, 2, squeeze=False).flat[0]
    figure._draw_run(part, canvas.View(journal, limits, inches))
    drawn.draw_without_rendering()
    for above, below in pairwise(part.axes[1:]):
        if (legend := above.get_legend()) is not None:
            lowest = min(text.get_window_extent().y0 for text in legend.get_texts())
            assert lowest >= below._left_title.get_window_extent().y1


@pytest.mark.parametrize("case", CASES)
def test_on_a_phone_no_text_is_cut_and_none_lies_on_another(case: str, tmp_path: Path) -> None:
    """Broken: a report that is opened at night, on a phone, cannot be read."""
    journal = CASES[case][0](tmp_path)
    limits = canvas.frame([journal])
    drawn: Any = figure._figure(1, limits, canvas.PHONE)
    figure._draw_run(drawn, canvas.View(journal, limits, canvas.PHONE))
    drawn.draw_without_rendering()
    strip, *panels = drawn.axes
    titles = [panel._left_title.get_window_extent() for panel in panels]
    # Of an annotation without its stem.
    names = [Text.get_window_extent(text) for text in strip.texts if text.get_text()]
    for box in (*titles, *names):
        assert box.x0 >= 0
        assert box.x1 <= drawn.bbox.width
        assert box.y1 <= drawn.bbox.height
    moments = names[-sum(hasattr(text, "arrowprops") for text in strip.texts) :]
    for one, other in combinations((*titles, *moments), 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("node loss", "missing"),
        ("leader loss", "in doubt"),
        ("partition", "out of reach, not noticed"),
    ],
)
def test_a_hatch_says_in_words_what_it_means(case: str, text: str, tmp_path: Path) -> None:
    svg = figure.draw(CASES[case][0](tmp_path))
    assert len(re.findall(f">[0-9 ]*{text}</text>", svg)) == 2  # one of them in the legend


def test_no_stem_goes_through_the_name_of_another_moment() -> None:
    """Broken: "down, assigned" is crossed out by the stem of "healthy" above it."""
    healthy = Name(lowest_level(17.3, (17.3, 24.0), []), 17.3, (17.3, 24.0))
    down = Name(lowest_level(14.3, (14.3, 21.0), [healthy]), 14.3, (14.3, 21.0))
    assert (healthy.level, down.level) == (0, 1)
    # A name that ends at its moment, at the right edge, stands above what it would cross.
    reverted = Name(0, 31.0, (27.0, 31.0))
    assert lowest_level(29.5, (25.5, 29.5), [reverted]) == 1
