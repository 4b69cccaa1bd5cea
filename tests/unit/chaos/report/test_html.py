"""The page of a run, and of several: what people must see is there, and nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Agreement, GuardRecord
from swarmctl.chaos.report import markdown, words
from swarmctl.chaos.report.html import page as page_of
from swarmctl.errors import SwarmctlError
from swarmctl.prediction.record import record
from tests.unit.chaos import report_runs as runs

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Balance(HTMLParser):
    """Every element that begins ends, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def plain(page: str) -> str:
    """The words of a page, without its pictures."""
    text = re.sub(r"<svg.*?</svg>|<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def well_formed(page: str) -> None:
    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page.replace("xlink:href", "href"))
    assert "@import" not in page
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))


def predicted(root: Path, *web: dict[str, int], exhaustive: bool = True) -> str:
    s = runs.node_loss(root)
    s.lab.prediction = runs.prediction(*web, exhaustive=exhaustive)
    return page_of([s.experiment.run()])


def test_one_run_says_how_it_ended_and_when_what_was(tmp_path: Path) -> None:
    page = page_of([runs.lost_node(tmp_path)])
    well_formed(page)
    text = plain(page)
    for part in (
        "HELD",
        "wkr2 was lost; 5 of 5 lost replicas",
        "until the managers called it Down",
        "Hypothesis",
    ):
        assert part in text
    moments = ("fault", "unreachable", "down", "assigned", "running", "healthy", "reverted")
    assert re.search(r" \S+ s ".join(moments), text)
    assert "not seen" not in text


def test_moments_that_never_came_are_said(tmp_path: Path) -> None:
    assert "down not seen" in plain(page_of([runs.drained(tmp_path)]))


def test_several_runs_are_side_by_side_and_folded_below(tmp_path: Path) -> None:
    journals = [
        runs.lost_node(tmp_path / "a"),
        runs.drained(tmp_path / "b"),
        runs.by_hand(outcome="refused", id="refused-one"),
    ]
    page = page_of(journals)
    well_formed(page)
    assert page.count("<details") == 3
    assert page.count("<svg ") == 2 * 2  # each for a large screen, and for a phone
    assert "instance-stop of wkr2 held" in plain(page)
    assert page.index("<table") < page.index("<svg ") < page.index("<details")
    assert f'href="#{journals[1].id}"' in page


def test_a_prediction_that_came_true_is_said(tmp_path: Path) -> None:
    text = plain(predicted(tmp_path, {"wkr1": 6, "wkr3": 4}, {"wkr1": 5, "wkr3": 5}))
    assert "as predicted (1 of 2 outcomes, exhaustive)" in text
    assert "web 6 (5-6) 0 (0) 4 (4-5)" in text


def test_a_prediction_that_did_not_is_shown_where_it_failed(tmp_path: Path) -> None:
    page = predicted(tmp_path, {"wkr1": 9, "wkr3": 1})
    assert "not as predicted (none of 1 outcome, exhaustive)" in plain(page)
    assert re.search(r'differs">✗ 6 <span class="range">\(9\)', page)


def test_numbers_that_are_possible_only_apart_are_said(tmp_path: Path) -> None:
    first, second = {"wkr1": 6, "wkr3": 5}, {"wkr1": 5, "wkr3": 4}
    page = predicted(tmp_path, first, second)
    assert "not all of these at once" in page


def test_outcomes_that_were_not_all_listed_are_no_surprise(tmp_path: Path) -> None:
    s = runs.node_loss(tmp_path)
    s.lab.prediction = runs.prediction({"wkr1": 9, "wkr3": 1}, exhaustive=False)
    journal = s.experiment.run()
    assert words.agreement(journal) == "not among the predicted (1 outcome, others are possible)"


def test_a_service_that_did_not_come_up_is_named_beside_the_prediction(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    journal.prediction = record(runs.prediction({"wkr1": 6, "wkr3": 4}))
    journal.agreement = Agreement(agrees=None, exhaustive=True, left_out=("web",))
    text = plain(page_of([journal]))
    assert (
        "compared in part, without a difference (1 outcome, exhaustive); "
        "not compared, not all of their replicas came up: web" in text
    )
    assert "as predicted" not in text


def test_overridden_guards_stand_above_everything(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    journal.guards += (GuardRecord("blast-radius", False, "2 of 3 workers", overridden=True),)
    text = plain(page_of([journal]))
    assert text.index("GUARDS OVERRIDDEN blast-radius : 2 of 3 workers") < text.index("Hypoth")
    assert "GUARDS OVERRIDDEN" not in plain(page_of([runs.lost_node(tmp_path / "b")]))


def test_duplicates_are_said(tmp_path: Path) -> None:
    text = plain(page_of([runs.partitioned(tmp_path)]))
    assert "Ran twice, on the target and elsewhere: 1 of api, 3 of web" in text


def test_how_long_full_strength_was_watched_is_said_everywhere(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    said = r"Full strength was watched for 5\.\d s: a new replica that fails later goes unnoticed"
    assert re.search(said, plain(page_of([journal])))
    assert re.search(said, markdown.render([journal]))
    assert words.watched(runs.under_pressure(tmp_path / "b")) == ""


def test_the_reasons_of_an_inconclusive_run_are_not_called_a_refutation(tmp_path: Path) -> None:
    s = runs.node_loss(tmp_path)
    s.clock.at(10, lambda: s.lab.start("i-wkr2"))
    text = plain(page_of([s.experiment.run()]))
    assert "Inconclusive: the fault ended by itself" in text
    assert "Refuted:" not in text


def test_a_run_that_is_not_put_back_says_how(tmp_path: Path) -> None:
    s = runs.node_loss(tmp_path)
    s.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    with pytest.raises(Exception, match="revert"):
        s.experiment.run()
    text = plain(page_of([s.runs.load(s.experiment.journal.id)]))
    assert "REVERT FAILED" in text
    assert "swarmctl chaos revert" in text


def test_what_services_are_called_is_never_markup(tmp_path: Path) -> None:
    journal = runs.lost_node(tmp_path)
    journal.title = "<img src=x onerror=alert(1)>"
    journal.before["<b>x"] = {"wkr1": 1}
    well_formed(page_of([journal]))
    assert "<b>x" not in page_of([journal])


def test_the_least_a_run_can_be_has_a_page() -> None:
    well_formed(page_of([runs.by_hand()]))
    assert "NOT ENDED" in page_of([runs.by_hand()])
