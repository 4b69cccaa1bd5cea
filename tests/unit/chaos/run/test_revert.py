"""``swarmctl chaos revert``: after kill -9, from the journal alone, as often as you like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.revert_from_journal import revert
from swarmctl.chaos.run.steps import revert as revert_step
from swarmctl.chaos.run.steps.revert import RevertFailedError
from swarmctl.chaos.world.reconnect import ReconnectingEngine
from swarmctl.errors import Exit, SwarmctlError
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
