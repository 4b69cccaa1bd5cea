"""``swarmctl chaos history``: the runs as rows, and what several have in common."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Mark, ProbeSummary
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.report.history import cells, choose, statistics
from swarmctl.chaos.report.run_summary import RunSummary, summarize
from swarmctl.cli import console
from swarmctl.cli.main import main
from tests.unit.chaos import report_runs as runs


def run(number: int, recovery: float, *, outcome: str = "held", lost: int = 0) -> RunSummary:
    fault, whole = Mark(1, "fault", ""), Mark(1 + recovery, "redistributed", "")
    probes = (ProbeSummary("web", 100, lost, lost / 10, 1, 1),)
    journal = runs.by_hand(
        id=f"{number}-instance-stop", outcome=outcome, marks=[fault, whole], probes=probes
    )
    return summarize(journal)


FEW = (run(1, 20), run(2, 24, lost=5), run(3, 30, outcome="refuted", lost=40))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Three runs on disk: held, refuted, and one of another fault."""
    keep = Runs(tmp_path)
    for number, outcome in ((1, "held"), (2, "refuted")):
        keep.save(
            runs.by_hand(
                id=f"2026010{number}-instance-stop", outcome=outcome, marks=[Mark(1, "fault", "")]
            )
        )
    keep.save(runs.by_hand(id="20260103-drain", experiment="drain", outcome="held"))
    console.out.cache_clear()
    console.err.cache_clear()
    return tmp_path


def test_a_row_says_what_was_seen() -> None:
    words = cells(FEW[1])
    assert words[0] == "2-instance-stop"
    assert words[6:] == ("24.0 s", "5 of 100", "0.5 s", "-")


def test_medians_and_ranges_of_each_fault() -> None:
    (one,) = statistics(FEW)
    assert (one.fault, one.runs, one.held) == ("instance-stop", 3, 2)
    assert one.figures["recovery_s"] == replace(
        one.figures["recovery_s"], median=24, least=20, most=30
    )
    assert one.figures["recovery_s"].text() == "24.0 s (20.0 to 30.0)"
    assert one.figures["lost"].text(unit="") == "5 (0 to 40)"
    assert "detection_s" not in one.figures


def test_one_run_is_no_median_and_refused_ones_do_not_count() -> None:
    refused = summarize(runs.by_hand(outcome="refused"))
    assert statistics((FEW[0], refused, refused)) == ()


def test_the_newest_of_those_that_match() -> None:
    assert choose(FEW, last=1, outcome="held") == (FEW[1],)
    assert choose(FEW, fault="drain") == ()


def test_the_history_is_listed(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "history", "--runs-dir", str(kept)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("20260101") < shown.index("20260102") < shown.index("20260103")
    assert "3 runs" in shown
    assert "Medians and ranges" in shown


def test_it_can_be_narrowed_and_read_by_programs(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--runs-dir", str(kept), "--format", "json", "--outcome", "refuted"]
    assert main(["chaos", "history", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in found["runs"]] == ["20260102-instance-stop"]
    assert found["runs"][0]["phases"]["t_fault"] == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--fault", "drian"], "did you mean 'drain'?"),
        (["--outcome", "hold"], "did you mean 'held'?"),
        (["--last", "0"], "--last"),
    ],
)
def test_mistakes_are_2(
    kept: Path, words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chaos", "history", "--runs-dir", str(kept), *words]) == 2
    assert hint in capsys.readouterr().err


def test_a_journal_that_cannot_be_read_is_left_out_and_said(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept / "20260102-instance-stop" / "journal.json").write_text("{")
    assert main(["chaos", "history", "--runs-dir", str(kept)]) == 0
    shown = capsys.readouterr()
    assert "2 runs" in shown.out
    assert "left out: cannot read the journal" in shown.err


def test_no_runs_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "history", "--runs-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"no run in {tmp_path}\n"


def test_in_80_columns_no_name_is_cut(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["chaos", "history", "--runs-dir", str(kept)]) == 0
    console.out.cache_clear()
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    for name in ("20260101-instance-stop", "20260102-instance-stop", "20260103-drain"):
        assert name in shown.split()
