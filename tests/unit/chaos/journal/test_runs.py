"""The journal must be readable after any end of the process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import (
    REPLACE_WITH,
    Journal,
    Mark,
    Recovery,
    Sample,
    ServiceOutcome,
    Undo,
    UndoStep,
    recovery,
)
from swarmctl.chaos.journal.runs import Runs, brief, from_brief
from swarmctl.errors import RefusedError, SwarmctlError, UsageError

STEP = UndoStep("start-instance", "wkr1", "n1", "i-1", "aws ec2 start-instances")


def journal(run_id: str = "run-1", state: str = "planned") -> Journal:
    return Journal(
        id=run_id,
        experiment="instance-stop",
        cluster="swarm_app",
        region="eu-central-1",
        started_at="2026-01-02T03:04:05.000+00:00",
        parameters={"target": ["wkr1"]},
        hypothesis="it holds",
        undo=Undo(state, (STEP,)),
        marks=[Mark(1.5, "fault", "stop")],
        samples=[Sample(0.1, {"web": 3}, {"wkr1": 3}, {"wkr1": "ready"})],
        blind=[(1.0, 2.0, "no answer")],
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(journal())
    assert runs.load("run-1") == journal()


def test_only_runs_that_are_not_undone_are_pending(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for name, state in (("a", "none"), ("b", "planned"), ("c", "done"), ("d", "failed")):
        runs.save(journal(name, state))
    assert [run.id for run in runs.pending()] == ["b", "d"]


def test_a_link_to_a_run_is_no_second_run(tmp_path: Path) -> None:
    """Broken: with ``ln -s RUN runs/latest``, everything counts and undoes that run twice."""
    runs = Runs(tmp_path)
    runs.save(journal())
    (tmp_path / "latest").symlink_to(tmp_path / "run-1")
    assert runs.ids() == ["run-1"]
    assert [run.id for run in runs.pending()] == ["run-1"]
    assert runs.load("latest").id == "run-1"


def test_a_pending_run_in_a_directory_of_another_name_says_what_to_do(tmp_path: Path) -> None:
    """Broken: it is undone under its own name, and the renamed one blocks all runs for ever."""
    runs = Runs(tmp_path)
    runs.save(journal())
    (tmp_path / "run-1").rename(tmp_path / "renamed")
    with pytest.raises(SwarmctlError, match="the journal of the run run-1,") as caught:
        runs.pending()
    assert "give its directory that name" in caught.value.hint


def test_a_crash_while_writing_leaves_the_last_whole_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path)
    runs.save(journal())

    def crash(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(SwarmctlError, match="No space left"):
        runs.save(replace(journal(), undo=Undo("done")))
    assert runs.load("run-1").undo.state == "planned"


def test_a_journal_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    """It has commands and URLs of probes, which may hold passwords."""
    Runs(tmp_path).save(journal())
    assert (tmp_path / "run-1" / "journal.json").stat().st_mode & 0o777 == 0o600


def test_a_journal_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    """It may be the one that knows of a stopped machine."""
    runs = Runs(tmp_path)
    runs.save(journal())
    (tmp_path / "run-1" / "journal.json").write_text("{")
    with pytest.raises(SwarmctlError, match="cannot read the journal"):
        runs.pending()


def test_fields_of_a_newer_version_are_left_out(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(journal())
    path = tmp_path / "run-1" / "journal.json"
    path.write_text(path.read_text().replace("{", '{"of_tomorrow": 1,', 1))
    assert runs.load("run-1") == journal()


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ('"by_hand": "aws ec2 start-instances"', '"by_hand": 7', "$.undo.steps[0].by_hand"),
        ('"schema": 1', '"schema": "1"', "$.schema"),
        ('"cluster": "swarm_app",', "", "cluster"),
        ('"id": "run-1"', '"id": "../../elsewhere"', "$.id"),
        ('"id": "run-1"', '"id": ""', "$.id"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_its_place_is_named(
    tmp_path: Path, right: str, wrong: str, place: str
) -> None:
    """Broken: a revert starts, and fails half way on a number where a name should be."""
    runs = Runs(tmp_path)
    runs.save(journal())
    path = tmp_path / "run-1" / "journal.json"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    with pytest.raises(SwarmctlError) as caught:
        runs.load("run-1")
    assert place in caught.value.message


def test_what_a_terminal_would_obey_is_removed_from_a_journal(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(replace(journal(), hypothesis="it\x1b[2J holds\x00"))
    assert runs.load("run-1") == journal()


def test_an_undo_plan_from_the_swarm_is_checked_like_a_journal() -> None:
    raw = brief(journal("20260102-030405-drain"))
    assert from_brief(raw).undo == journal().undo
    with pytest.raises(SwarmctlError, match=r"\$\.targets"):
        from_brief({**raw, "targets": "wkr1"})
    with pytest.raises(SwarmctlError, match="run id"):
        from_brief({**raw, "id": "../elsewhere"})


def test_a_command_is_not_stored_in_the_swarm() -> None:
    command = "make -e password=hunter2"
    step = UndoStep("replace-instance", "wkr2", "n2", "i-2", f"{command}; docker node rm n2")
    run = replace(
        journal(),
        parameters={"level": 5, "replace_with": command},
        undo=Undo("planned", (step,)),
    )
    assert brief(run)["parameters"] == {"level": 5}
    assert brief(run)["undo"]["steps"][0]["by_hand"] == "--replace-with; docker node rm n2"
    usual = replace(run, parameters={"replace_with": REPLACE_WITH})
    assert brief(usual)["undo"] == asdict(usual.undo)
    assert "hunter2" not in str(brief(run))


def test_an_unknown_run_gets_the_known_ones(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(journal())
    with pytest.raises(UsageError, match="unknown run 'run-2'") as caught:
        runs.load("run-2")
    assert "run-1" in caught.value.hint


def test_two_runs_in_one_second_have_two_names(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    first = runs.new_id("instance-stop", at)
    runs.save(journal(first))
    assert first == "20260102-030405-instance-stop"
    assert runs.new_id("instance-stop", at) == "20260102-030405-instance-stop-2"


def test_the_lock_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    hold = (
        "import pathlib, sys\n"
        "from swarmctl.chaos.journal.runs import Runs\n"
        f"with Runs(pathlib.Path({str(tmp_path)!r})).lock():\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(RefusedError, match=str(process.pid)), Runs(tmp_path).lock():
        pass
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    with Runs(tmp_path).lock():
        pass


# --- what a person reads --------------------------------------------------------------------------


def test_a_journal_is_readable_and_long_lists_have_a_line_for_each_item(tmp_path: Path) -> None:
    Runs(tmp_path).save(replace(journal(), title="größer"))
    lines = (tmp_path / "run-1" / "journal.json").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["{", '  "id": "run-1",', '  "experiment": "instance-stop",']
    assert '  "title": "größer",' in lines
    at = lines.index('  "parameters": {')
    assert lines[at : at + 5] == [
        '  "parameters": {',
        '    "target": [',
        '      "wkr1"',
        "    ]",
        "  },",
    ]
    at = lines.index('  "marks": [')
    mark = '{"at_s": 1.5, "kind": "fault", "text": "stop", "silenced": ""}'
    assert lines[at : at + 3] == ['  "marks": [', f"    {mark}", "  ],"]
    assert '    [1.0, 2.0, "no answer"]' in lines
    assert '  "probe_log": [],' in lines
    assert lines[-1] == "}"


def test_several_items_are_a_list_of_lines(tmp_path: Path) -> None:
    marks = [Mark(1.0, "fault", "a — b"), Mark(2.0, "revert", "c")]
    Runs(tmp_path).save(replace(journal(), marks=marks))
    text = (tmp_path / "run-1" / "journal.json").read_text(encoding="utf-8")
    assert '"a — b", "silenced": ""},\n    {"at_s": 2.0' in text


def test_the_files_of_a_run_lie_in_a_directory_of_its_name(tmp_path: Path) -> None:
    assert Runs(tmp_path).directory("run-1") == tmp_path / "run-1"
    assert Runs(tmp_path).report("run-1") == tmp_path / "run-1" / "report.html"


def test_runs_are_listed_with_the_oldest_first(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    names = ["20260103-000000-drain", "20260101-000000-drain", "20260102-000000-drain"]
    for name in names:
        runs.save(journal(name))
    (tmp_path / "empty").mkdir()
    assert runs.ids() == sorted(names)
    assert [run.id for run in runs.pending()] == sorted(names)


def test_a_third_run_in_one_second_has_a_third_name(tmp_path: Path) -> None:
    runs, at = Runs(tmp_path), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for expected in ("20260102-030405-drain", "20260102-030405-drain-2", "20260102-030405-drain-3"):
        name = runs.new_id("drain", at)
        assert name == expected
        runs.save(journal(name))


# --- what is wrong, and what to do ----------------------------------------------------------------


def test_a_directory_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(SwarmctlError) as caught:
        Runs(tmp_path / "runs").save(journal())
    path = tmp_path / "runs" / "run-1" / "journal.json"
    assert caught.value.message == f"cannot write the journal {path}: Not a directory"
    assert caught.value.hint == "choose another directory with --runs-dir"


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_a_journal_that_cannot_be_read_is_left_to_a_person(tmp_path: Path, content: bytes) -> None:
    Runs(tmp_path).save(journal())
    path = tmp_path / "run-1" / "journal.json"
    path.write_bytes(content)
    with pytest.raises(SwarmctlError) as caught:
        Runs(tmp_path).load("run-1")
    assert caught.value.message.startswith(f"cannot read the journal {path}: ")
    assert caught.value.hint == (
        "undo what its part `undo` lists by hand, then move the directory away"
    )


def test_who_holds_the_lock_of_a_directory_is_told_to_wait(tmp_path: Path) -> None:
    with Runs(tmp_path).lock(), pytest.raises(RefusedError) as caught, Runs(tmp_path).lock():
        pytest.fail("it is locked")
    assert caught.value.message.startswith("another experiment is under way")
    assert caught.value.hint == ("wait for it to end; Ctrl-C in its terminal ends and reverts it")
    assert (tmp_path / ".lock").exists()


def test_the_swarm_keeps_what_is_needed_to_undo_a_run_and_nothing_else() -> None:
    kept = brief(journal("20260102-030405-drain"))
    assert sorted(kept) == [
        "cluster",
        "experiment",
        "hypothesis",
        "id",
        "parameters",
        "region",
        "schema",
        "started_at",
        "targets",
        "undo",
    ]
    with pytest.raises(SwarmctlError) as caught:
        from_brief({**kept, "marks": [], "guards": []})
    text = "the undo plan in the Swarm's lock has unknown parts: ['guards', 'marks']"
    assert caught.value.message == text
    with pytest.raises(SwarmctlError) as caught:
        from_brief({**kept, "id": "../x"})
    assert caught.value.message == ("the undo plan in the Swarm's lock has no valid run id: '../x'")
    with pytest.raises(SwarmctlError, match=r"^cannot read the undo plan in the Swarm's lock: Exp"):
        from_brief([])


def test_names_of_things_are_cleaned_like_texts(tmp_path: Path) -> None:
    sample = Sample(0.1, {"we\x1b[2Jb": 3}, {}, {"wkr\x001": "ready"})
    Runs(tmp_path).save(replace(journal(), samples=[sample]))
    assert Runs(tmp_path).load("run-1").samples == [
        Sample(0.1, {"web": 3}, {}, {"wkr1": "ready"}),
    ]


# --- the journal itself ---------------------------------------------------------------------------


def test_the_first_mark_of_a_kind_is_its_moment() -> None:
    run = replace(journal(), marks=[Mark(1.5, "a", ""), Mark(2.0, "b", ""), Mark(3.0, "a", "")])
    assert (run.moment("a"), run.moments("a")) == (1.5, (1.5, 3.0))
    assert (run.moment("c"), run.moments("c")) == (None, ())


def test_lost_replicas_that_run_again_have_moved_and_all_others_restarted() -> None:
    """A service that had fewer than wanted gets more than it lost; a global one wants none."""
    short = ServiceOutcome("web", "replicated", wanted=6, lost=2, stayed=3, replaced=3)
    everywhere = ServiceOutcome("agent", "global", wanted=3, lost=1, stayed=3, replaced=0)
    late = ServiceOutcome("api", "replicated", wanted=4, lost=3, stayed=1, replaced=1)
    assert recovery([short, everywhere, late]) == Recovery(
        wanted=13, lost=5, moved=3, restarted=1, kept=7
    )
