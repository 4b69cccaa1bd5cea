"""The runs on the page: read once, and without what only the operator may know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal, Undo, UndoStep
from swarmctl.chaos.journal.runs import JOURNAL_NAME, Runs
from swarmctl.web.runs import one_run, run_list
from tests.unit.chaos.report_runs import by_hand


def test_a_journal_is_read_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: each viewer of the runs takes a core, as every journal is read every second."""
    journal, read = by_hand(), list[str]()
    Runs(tmp_path).save(journal)
    load = Runs.load

    def counted(runs: Runs, name: str) -> Journal:
        read.append(name)
        return load(runs, name)

    monkeypatch.setattr(Runs, "load", counted)
    for _ in range(3):
        (found,) = run_list(tmp_path)["runs"]
    assert (found["outcome"], read) == ("", [journal.id])
    journal.outcome = "held"
    Runs(tmp_path).save(journal)
    (found,) = run_list(tmp_path)["runs"]
    assert (found["outcome"], read) == ("held", [journal.id, journal.id])


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "20260102-030405-drain" / JOURNAL_NAME
    broken.parent.mkdir()
    broken.write_text("{")
    Runs(tmp_path).save(by_hand())
    found = run_list(tmp_path)
    assert len(found["runs"]) == 1
    assert str(broken) in found["left_out"][0]


def test_a_command_of_the_users_is_not_shown(tmp_path: Path) -> None:
    """Broken: who may see the page sees the password in it."""
    command = "make node PASSWORD=secret"
    step = UndoStep("replace-instance", "wkr1", "n1", "i-1", f"{command}; docker node rm n1")
    undo = Undo("failed", (step,), f"`{command}` ended with 2")
    Runs(tmp_path).save(
        by_hand(experiment="instance-terminate", parameters={"replace_with": command}, undo=undo)
    )
    found = one_run(tmp_path, "20260102-030405-instance-stop")
    assert found["undo"]["steps"][0]["by_hand"] == "--replace-with; docker node rm n1"
    assert "secret" not in json.dumps(found)
