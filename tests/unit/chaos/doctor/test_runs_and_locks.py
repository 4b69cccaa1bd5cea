"""Runs that are not undone, and locks in the Swarm; --fix touches dead runs only."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos.doctor.findings import (
    SWARM,
    Repair,
    RepairKind,
    Severity,
    repairs,
)
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.journal.journal import Journal, Undo
from swarmctl.chaos.journal.runs import Runs
from swarmctl.swarm import lock
from tests.unit.chaos.doctor.place import ELSEWHERE, RUN, Place, only, pending
from tests.unit.chaos.simulated_swarm import START as NOW


def test_nothing_is_found_where_nothing_is(place: Place) -> None:
    assert place.findings() == ()
    assert not place.runs.root.exists(), "looking makes no directory"


def test_a_run_that_is_not_undone_and_the_instance_it_stopped(place: Place) -> None:
    place.runs.save(pending())
    place.lab.states["wkr2"] = "stopped"
    place.lab.set_node("wkr2", "down")
    in_runs, on_node = place.findings()
    assert in_runs.place == "runs/"
    assert in_runs.since == NOW
    assert "instance-stop of wkr2" in in_runs.what
    assert (on_node.place, on_node.severity) == ("wkr2", Severity.ERROR)
    assert on_node.what == f"its instance i-wkr2 is stopped; in the undo plan of {RUN}"
    assert {f.command for f in (in_runs, on_node)} == {f"swarmctl chaos revert {RUN}"}
    assert repairs((in_runs, on_node)) == [Repair(RepairKind.REVERT, RUN)], "once"


def test_a_revert_that_failed_says_why(place: Place) -> None:
    place.runs.save(replace(pending(), undo=Undo("failed", pending().undo.steps, "no capacity")))
    assert "the last try failed: no capacity" in only(place.findings(), "runs/").what


def test_a_run_that_is_at_work_is_left_alone(place: Place) -> None:
    place.runs.save(pending())
    place.lab.states["wkr2"] = "stopped"
    with place.runs.lock():
        found = place.findings()
        assert [f.severity for f in found] == [Severity.WARNING] * 2
        assert f"may be under way, process {os.getpid()} works in runs" in found[0].what
        assert repairs(found) == []
        assert {f.command for f in found} == {"swarmctl chaos doctor"}


def test_a_run_of_another_cluster_is_found_and_not_touched(place: Place) -> None:
    place.runs.save(pending(cluster="shop"))
    found = only(place.findings(), "runs/")
    assert "in the cluster shop" in found.what
    assert found.repair is None


def test_a_journal_that_cannot_be_read_hides_no_other(place: Place) -> None:
    place.runs.save(pending())
    broken = place.runs.directory("20260101-000000-drain")
    broken.mkdir()
    (broken / "journal.json").write_text("{")
    unreadable, run = place.findings()
    assert "cannot read the journal" in unreadable.what
    assert RUN in run.what


def test_another_runs_directory_is_named_in_the_command(place: Place) -> None:
    place.access = replace(place.access, runs=Runs(Path("other")))
    place.access.runs.save(pending())
    found = only(place.findings(), "other/")
    assert found.command == f"swarmctl chaos revert {RUN} --runs-dir other"


def test_a_lock_whose_time_runs_may_be_anybodys(place: Place) -> None:
    place.locked(plan=pending())
    place.lab.states["wkr2"] = "stopped"
    in_swarm, on_node = place.findings()
    assert in_swarm.place == SWARM
    assert "ann@laptop" in in_swarm.what
    assert "until 03:04:55 UTC" in in_swarm.what
    assert in_swarm.severity == on_node.severity == Severity.WARNING
    assert in_swarm.command == "swarmctl chaos revert --from-swarm"
    assert repairs((in_swarm, on_node)) == []


def test_a_plan_in_a_lock_whose_time_is_over_is_carried_out(place: Place) -> None:
    lock_id = place.locked(age_s=100, plan=pending())
    place.lab.states["wkr2"] = "stopped"
    found = place.findings()
    assert [f.severity for f in found] == [Severity.ERROR] * 2
    assert repairs(found) == [Repair(RepairKind.FROM_SWARM, lock_id)]
    place.fix()
    assert place.done == ["from swarm"]


def test_a_process_of_this_machine_that_is_gone_left_its_lock(place: Place) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    place.locked(replace(lock.this_process("chaos x"), pid=child.pid), plan=pending())
    assert only(place.findings(), SWARM).repair is not None


@pytest.mark.parametrize("plan", [None, pending()])
def test_nobody_is_told_to_break_a_lock_whose_process_is_there(
    place: Place, plan: Journal | None
) -> None:
    place.locked(lock.this_process("chaos x"), plan=plan)
    (found,) = place.fix()
    assert "may be at work" in found.what
    assert found.command == "swarmctl chaos doctor"


def test_the_process_of_a_lock_is_looked_for_on_this_machine_only() -> None:
    me = lock.this_process("chaos x")
    assert me.alive is True
    assert replace(me, host=f"not-{socket.gethostname()}").alive is None
    assert replace(me, user="somebody-else").alive is None
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has noticed
    assert replace(me, pid=killed.pid).alive is False
    killed.wait()
    assert replace(me, pid=killed.pid).alive is False


def test_a_plan_that_names_a_command_to_run_is_for_people(place: Place) -> None:
    """Whoever may write configs into the Swarm must not run commands here through --fix."""
    place.locked(age_s=100, plan=pending(UndoAction.REPLACE_INSTANCE))
    found = only(place.findings(), SWARM)
    assert found.severity is Severity.ERROR
    assert found.repair is None


def test_a_local_run_and_its_lock_are_mended_once_from_its_journal(place: Place) -> None:
    place.runs.save(pending())
    place.locked(age_s=100, plan=pending())
    assert repairs(place.findings()) == [Repair(RepairKind.REVERT, RUN)]


@pytest.mark.parametrize(("age_s", "plan"), [(100, None), (100, pending())])
def test_a_lock_that_nothing_hangs_on_is_removed(
    place: Place, age_s: float, plan: Journal | None
) -> None:
    if plan:
        place.runs.save(pending(state="done"))
    place.locked(age_s=age_s, plan=plan)
    (found,) = place.findings()
    assert found.severity is Severity.WARNING
    assert place.fix() == ()
    assert place.done == []


def test_a_lock_without_plan_is_kept_while_its_time_runs(place: Place) -> None:
    place.locked()
    (found,) = place.fix()
    assert "may be at work" in found.what


def test_a_new_lock_is_not_removed_for_an_old_one(place: Place) -> None:
    old = Repair(RepairKind.RELEASE, place.locked(age_s=100))
    lock.release(place.lab.engine, old.subject)
    place.locked()
    place.repair(old)
    place.repair(Repair(RepairKind.FROM_SWARM, old.subject))
    assert place.done == []
    assert len(place.lab.engine.names("configs")) == 1


def test_a_killed_rebalance_is_found_and_undone(place: Place) -> None:
    """Broken: the service keeps a replica too many, and the locks stay for many minutes."""
    killed = subprocess.Popen(["true"])
    killed.wait()
    owner = replace(lock.this_process("rebalance"), pid=killed.pid)
    engine = place.lab.engine
    lock.acquire(engine, lock.CHAOS, 3600, owner, {lock.REBALANCE: {"svc-web": 2}})
    lock.acquire(engine, lock.of_stack("app"), 3600, owner)
    found = place.findings()
    assert any("a service may have a replica too many" in f.what for f in found)
    assert [one.kind for one in repairs(found)] == [RepairKind.FROM_SWARM, RepairKind.RELEASE]


@pytest.mark.parametrize("plan", [{"id": "../../x"}, {lock.REBALANCE: {"a/b": 1}}])
def test_a_plan_that_is_not_valid_is_a_finding_and_never_carried_out(
    place: Place, plan: dict[str, Any]
) -> None:
    lock.acquire(place.lab.engine, lock.CHAOS, 0, ELSEWHERE, plan)
    (found,) = place.fix()
    assert found.severity is Severity.ERROR
    assert "is not valid" in found.what
    assert place.done == []


def test_locks_of_stacks_whose_time_is_over(place: Place) -> None:
    engine = place.lab.engine
    for stack in ("shop", "blog"):
        lock.acquire(engine, lock.of_stack(stack), 60, ELSEWHERE)
        engine.named("configs", f"swarmctl-lock-{stack}")["CreatedAt"] = NOW.isoformat()
    entry = engine.named("configs", "swarmctl-lock-shop")
    entry["CreatedAt"] = (NOW - timedelta(seconds=61)).isoformat()
    (found,) = place.findings()
    assert found.command == "swarmctl stack unlock shop"
    assert place.fix() == ()
    assert engine.names("configs") == ["swarmctl-lock-blog"]
