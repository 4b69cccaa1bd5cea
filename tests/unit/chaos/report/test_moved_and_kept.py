"""Replicas that moved and replicas that ran on are told apart wherever a run is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Recovery, ServiceOutcome, recovery
from swarmctl.chaos.report import html, junit, markdown
from swarmctl.chaos.report.report import make
from swarmctl.chaos.run.judging.judgement import Judgement, ServiceJudgement
from swarmctl.chaos.run.judging.reasons import BelowMinimum
from swarmctl.chaos.run.judging.words import Result, verdict
from swarmctl.cli import console
from swarmctl.cli.show.run import show_run
from tests.unit.chaos import report_runs as runs

MOVED, KEPT = "5 of 5 lost replicas run elsewhere after", "10 kept running"


def sentence(*services: ServiceJudgement, tasks_only: bool = False, held: bool = True) -> str:
    result = Result(
        Judgement(services, ()),
        ("wkr2",),
        "was lost",
        9.0,
        9.0,
        () if held else (BelowMinimum("web", 3, 4, 1.0),),
        tasks_only,
    )
    return verdict(result).sentence


def replicas(wanted: int, lost: int, stayed: int, replaced: int) -> ServiceJudgement:
    ids = frozenset(map(str, range(replaced)))
    return ServiceJudgement("web", "replicated", wanted, lost, stayed, ids)


def test_every_format_says_how_many_moved_and_how_many_were_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s = runs.node_loss(tmp_path)
    journal = s.experiment.run()
    console.out.cache_clear()
    show_run(journal, tmp_path)
    shown = capsys.readouterr().out
    for text in (
        shown,
        html.page([journal]),
        markdown.render([journal]),
        junit.render([journal], ""),
    ):
        assert MOVED in text
        assert KEPT in text
        assert "15/15" not in text
    found = json.loads(make(s.runs, [journal], "json").text)["runs"][0]
    assert found["replicas"] == {"wanted": 15, "lost": 5, "moved": 5, "restarted": 0, "kept": 10}


def test_a_fault_that_takes_nothing_says_that_all_kept_running() -> None:
    assert "all 4 replicas kept running" in sentence(replicas(4, 0, 4, 0))


def test_replicas_that_restart_though_the_fault_did_not_take_them_are_no_moved_ones() -> None:
    assert sentence(replicas(4, 0, 3, 1)) == (
        "HELD: wkr2 was lost; 1 restarted after 9.0 s; 3 kept running"
    )
    assert "2 of 2 lost replicas run elsewhere after 9.0 s; 1 restarted; 1 kept running" in (
        sentence(replicas(4, 2, 1, 3))
    )


def test_a_refuted_run_says_how_many_of_the_lost_came_back() -> None:
    text = sentence(replicas(4, 2, 2, 1), held=False)
    assert text.startswith("REFUTED: wkr2 was lost; 1 of 2 lost replicas run elsewhere after 9.0 s")
    assert "2 kept running: web had 3 replicas" in text


def test_killed_tasks_run_again_perhaps_where_they_ran() -> None:
    text = sentence(replicas(4, 1, 3, 1), tasks_only=True)
    assert "1 of 1 lost replica runs again after 9.0 s; 3 kept running" in text


def test_the_replica_of_a_global_service_on_a_lost_node_is_not_wanted_elsewhere() -> None:
    agent = ServiceOutcome("agent", "global", wanted=3, lost=1, stayed=3, replaced=0)
    assert recovery([agent]) == Recovery(wanted=3, lost=0, moved=0, restarted=0, kept=3)
