"""The picture of a run: valid, the same every time, and it shows what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report.picture import canvas, figure
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


def test_no_legend_lies_on_the_title_below_it(tmp_path: Path) -> None:
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
    drawn = figure._figure(2, limits, narrow=True)
    part = drawn.subfigures(1, 2, squeeze=False).flat[0]
    figure._draw_run(part, canvas.View(journal, limits, narrow=True))
    drawn.draw_without_rendering()
    for above, below in pairwise(part.axes[1:]):
        if (legend := above.get_legend()) is not None:
            lowest = min(text.get_window_extent().y0 for text in legend.get_texts())
            assert lowest >= below._left_title.get_window_extent().y1
