"""Several runs of one plan; and when they are allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.plan import campaign, window
from swarmctl.chaos.plan.plan import Plan
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.simulated_swarm import Clock, workers
from tests.unit.chaos.stage import stage

SWARM = Swarm(tuple(workers(3)), (), ())
PLAN = Plan("instance-stop", Selection(role="worker"))


def journals(root: Path, outcomes: list[str]) -> list[Journal]:
    made = [stage(root / str(i)).experiment.journal for i, _ in enumerate(outcomes)]
    for journal, outcome in zip(made, outcomes, strict=True):
        journal.outcome = outcome
    return made


def test_rolling_takes_every_node_that_could_be_drawn_in_turn() -> None:
    plans = campaign.rounds(replace(PLAN, rolling=True, repeat=2), SWARM)
    assert [p.selection.names for p in plans] == [("wkr1",), ("wkr2",), ("wkr3",)] * 2
    assert not any(p.rolling for p in plans)


def test_a_repeated_draw_with_a_seed_does_not_hit_one_node_for_ever() -> None:
    plan = replace(PLAN, repeat=3, selection=Selection(role="worker", seed=7))
    assert [p.selection.seed for p in campaign.rounds(plan, None)] == [7, 8, 9]


@pytest.mark.parametrize(("keep_going", "runs"), [(False, 2), (True, 3)])
def test_a_refuted_run_ends_it_unless_told_otherwise(
    tmp_path: Path, keep_going: bool, runs: int
) -> None:
    ready = iter(journals(tmp_path, ["held", "refuted", "held"]))
    plans = campaign.rounds(replace(PLAN, repeat=3), None)
    done = campaign.carry_out(plans, lambda plan: next(ready), Clock(), 0.0, keep_going)
    assert len(done) == runs


def test_the_interval_is_from_start_to_start(tmp_path: Path) -> None:
    clock, starts = Clock(), []
    ready = iter(journals(tmp_path, ["held"] * 3))

    def run(plan: Plan) -> Journal:
        starts.append(clock.now())
        clock.pause(20.0)
        return next(ready)

    campaign.carry_out(campaign.rounds(replace(PLAN, repeat=3), None), run, clock, 60.0, False)
    assert [round(start) for start in starts] == [0, 60, 120]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment", "within"),
    [
        ("Mon-Fri 09:00-17:00 Europe/Berlin", datetime(2026, 1, 5, 9, 0, tzinfo=BERLIN), True),
        ("Mon-Fri 09:00-17:00 Europe/Berlin", datetime(2026, 1, 5, 17, 0, tzinfo=BERLIN), False),
        ("Mon-Fri 09:00-17:00 Europe/Berlin", datetime(2026, 1, 4, 10, 0, tzinfo=BERLIN), False),
        ("09:00-17:00", datetime(2026, 1, 4, 9, 30, tzinfo=BERLIN), False),
        ("Fri 22:00-04:00", datetime(2026, 1, 10, 3, 0, tzinfo=ZoneInfo("UTC")), True),
        ("Fri 22:00-04:00", datetime(2026, 1, 9, 3, 0, tzinfo=ZoneInfo("UTC")), False),
        ("Sat-Sun 00:00-23:59", datetime(2026, 1, 4, 9, 30, tzinfo=ZoneInfo("UTC")), True),
    ],
)
def test_a_time_window_is_read_in_its_own_zone(text: str, moment: datetime, within: bool) -> None:
    assert window.parse(text).contains(moment) is within


@pytest.mark.parametrize("text", ["always", "25:00-26:00", "Mon-Fry 09:00-10:00", "1:00 X/Y"])
def test_a_time_window_that_cannot_be_read_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the time window"):
        window.parse(text)
