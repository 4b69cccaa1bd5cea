"""The moments all runs have in common."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Mark
from swarmctl.chaos.journal.phases import NAMES, line, phases, stretches
from tests.unit.chaos import report_runs as runs
from tests.unit.chaos.simulated_swarm import DETECT_S, RUN_S, STOP_S


def marks(*found: tuple[float, str]) -> list[Mark]:
    return [Mark(at, kind, kind) for at, kind in found]


def states(journal_states: tuple[object, ...]) -> list[str]:
    return [stretch.state for stretch in journal_states]  # type: ignore[attr-defined]  # Stretch


def test_a_lost_node_has_every_moment_in_order(tmp_path: Path) -> None:
    at = phases(runs.lost_node(tmp_path))
    assert list(at) == list(NAMES)
    moments = [moment for moment in at.values() if moment is not None]
    assert len(moments) == len(NAMES)
    assert at["t_fault"] == 0
    assert at["t_unreachable"] == pytest.approx(STOP_S, abs=0.5)
    assert at["t_down"] == pytest.approx(DETECT_S, abs=0.5)
    assert at["t_running"] == pytest.approx(DETECT_S + RUN_S, abs=0.5)
    assert at["t_healthy"] == pytest.approx(DETECT_S + RUN_S, abs=0.5)
    assert (at["t_reverted"] or 0) > (at["t_healthy"] or 0)


def test_they_are_in_the_journal_when_the_run_has_ended(tmp_path: Path) -> None:
    s = runs.node_loss(tmp_path)
    journal = s.experiment.run()
    assert journal.phases == phases(journal)
    assert s.runs.load(journal.id).phases == phases(journal)


def test_a_drained_node_is_never_down(tmp_path: Path) -> None:
    at = phases(runs.drained(tmp_path))
    assert at["t_down"] is None
    assert at["t_unreachable"] is None
    assert at["t_healthy"] is not None


def test_a_run_that_never_came_to_its_fault_has_none() -> None:
    assert set(phases(runs.by_hand()).values()) == {None}
    assert line(runs.by_hand()) == ""


def test_of_several_the_last_counts() -> None:
    journal = runs.by_hand(
        marks=marks((1, "fault"), (9, "node-down"), (12, "node-down"), (30, "redistributed")),
        tasks=(runs.started("a", 13, 20), runs.started("b", 14, 29)),
    )
    at = phases(journal)
    assert (at["t_down"], at["t_assigned"], at["t_running"]) == (11, 13, 28)


def test_tasks_that_replace_nothing_do_not_count() -> None:
    other = replace(runs.started("a", 13, 20), replacement=False)
    journal = runs.by_hand(marks=marks((1, "fault")), tasks=(other,))
    assert phases(journal)["t_running"] is None


def test_strength_that_did_not_last_is_not_healthy() -> None:
    begin = ((0, "fault"), (10, "redistributed"), (12, "shortage"))
    assert phases(runs.by_hand(marks=marks(*begin)))["t_healthy"] is None
    again = marks(*begin, (20, "redistributed"))
    assert phases(runs.by_hand(marks=again))["t_healthy"] == 20


def test_what_comes_after_the_revert_began_is_not_the_faults() -> None:
    journal = runs.by_hand(
        marks=marks((0, "fault"), (10, "revert"), (11, "node-down"), (12, "unreachable"))
    )
    at = phases(journal)
    assert (at["t_down"], at["t_unreachable"]) == (None, None)


def test_the_line_names_what_came_in_the_order_in_which_it_came() -> None:
    journal = runs.by_hand(
        marks=marks((0, "fault"), (11.8, "node-down"), (22.8, "redistributed")),
        tasks=(runs.started("a", 11.7, 22.7),),
    )
    assert line(journal) == (
        "fault → assigned +11.7 s → down +11.8 s → running +22.7 s → healthy +22.8 s"
    )


def test_the_swarms_state_over_a_lost_node(tmp_path: Path) -> None:
    found = stretches(runs.lost_node(tmp_path))
    assert states(found) == ["whole", "unnoticed", "starting", "whole"]
    assert all(a.until_s == b.since_s for a, b in pairwise(found))


def test_an_election_is_doubt_not_loss(tmp_path: Path) -> None:
    found = states(stretches(runs.lost_leader(tmp_path)))
    assert found == ["whole", "blind", "whole", "doubt", "whole"]


def test_pressure_leaves_the_swarm_whole(tmp_path: Path) -> None:
    assert states(stretches(runs.under_pressure(tmp_path))) == ["whole"]


def test_what_is_never_made_good_is_missing(tmp_path: Path) -> None:
    found = stretches(runs.lost_node(tmp_path, reschedules=False, timeout_s=30))
    assert "missing" in states(found)
    assert "starting" not in states(found)
