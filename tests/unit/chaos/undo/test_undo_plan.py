"""The undo plan is stored before the fault, here and in the Swarm, and its lock is given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos.journal.journal import Journal, Undo
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm import lock
from tests.unit.chaos.stage import Stage, stage

CHAOS = "DELETE /configs/configs-1"


def lock_at_the_fault(s: Stage) -> lock.Lock:
    """The lock in the Swarm at the moment the machine is stopped."""
    found: list[lock.Lock | None] = []
    s.lab.hooks["stop"] = lambda: found.append(lock.find(s.lab.engine, lock.CHAOS))
    s.experiment.run()
    assert found[0] is not None
    return found[0]


def test_the_lock_lasts_for_the_run_and_the_longest_undo(tmp_path: Path) -> None:
    """Broken: it expires while a playbook makes the machine anew, and another run begins."""
    s = stage(tmp_path, timeout_s=100, duration_s=60)
    found = lock_at_the_fault(s)
    assert (found.until - found.since).total_seconds() == 100 + 60 + 1800 + 300 + 120
    assert found.owner == lock.this_process(f"chaos {s.experiment.journal.id}")
    assert found.renewed is None


def test_where_the_plan_is_stored_is_said_before_the_fault(tmp_path: Path) -> None:
    s = stage(tmp_path)
    before: list[str] = []
    s.lab.hooks["stop"] = lambda: before.extend(s.progress.lines)
    journal = s.experiment.run()
    where = tmp_path / journal.id / "journal.json"
    assert before[before.index("Undo plan") + 1] == (
        f"stored before the fault: {where}, and in the Swarm's chaos lock"
    )


def test_the_plan_is_on_disk_before_it_is_in_the_swarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(tmp_path)
    found: list[Journal] = []
    acquire = lock.acquire

    def look(*words: Any, **options: Any) -> str:
        found.extend(s.runs.pending())
        return acquire(*words, **options)

    monkeypatch.setattr(lock, "acquire", look)
    s.experiment.run()
    (journal,) = found
    assert journal.phase == "planned"
    (step,) = journal.undo.steps
    assert (step.action, step.instance_id) == ("start-instance", "i-wkr2")


def test_a_run_renews_its_lock_until_it_releases_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(tmp_path)
    events: list[object] = []

    def renewing(engine: object, lock_id: str) -> object:
        events.append((engine is s.lab.engine, lock_id))
        return lambda: events.append("stopped")

    monkeypatch.setattr(lock, "renewing", renewing)
    release = lock.release

    def released(engine: object, lock_id: str) -> None:
        events.append("released")
        release(s.lab.engine, lock_id)

    monkeypatch.setattr(lock, "release", released)
    context = s.experiment._context
    context.world = replace(context.world, renewer=s.lab.engine)
    assert lock_at_the_fault(s).renewed is not None
    assert events == [(True, "configs-1"), "stopped", "released"]


def test_without_a_lock_nothing_is_planned(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.engine.refuse["POST /configs/create"] = "no leader"
    with pytest.raises(SwarmctlError, match="no leader"):
        s.experiment.run()
    assert s.experiment.journal.undo.state == "none"
    assert s.runs.pending() == ()
    assert s.lab.log == []


def test_the_user_is_shown_what_will_be_done_to_each_target(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.experiment.run()
    assert s.asked == [["stop wkr2 (i-wkr2); undo: start it and wait until Ready"]]


def test_a_run_that_a_guard_refuses_at_last_drops_its_plan_and_its_lock(tmp_path: Path) -> None:
    """A node that someone protects meanwhile is not stopped."""
    s = stage(tmp_path)
    note = s.progress.note

    def protect(text: str) -> None:
        note(text)
        if text.startswith("stored before the fault"):
            protected = {"swarmctl.protect": "true"}
            s.lab.nodes = [
                replace(n, labels=protected) if n.hostname == "wkr2" else n for n in s.lab.nodes
            ]

    s.progress.note = protect  # type: ignore[method-assign]  # the screen
    with pytest.raises(RefusedError, match="the Swarm changed before the fault"):
        s.experiment.run()
    assert s.experiment.journal.undo == Undo()
    assert lock.find(s.lab.engine, lock.CHAOS) is None
    assert s.lab.log == []


def test_the_undo_is_a_step_of_the_run(tmp_path: Path) -> None:
    s = stage(tmp_path)
    phases: list[str] = []
    s.lab.hooks["start"] = lambda: phases.append(s.experiment.journal.phase)
    s.experiment.run()
    assert phases[0] == "reverting"
    assert "Revert" in s.progress.lines


def test_a_node_that_stayed_ready_is_back_at_once(tmp_path: Path) -> None:
    """What the fault does decides for how long Ready must last."""
    journal = stage(tmp_path, fault="drain").experiment.run()
    ready, begun = journal.moment("nodes-ready"), journal.moment("revert")
    assert ready is not None
    assert begun is not None
    assert ready - begun < 1.0


# --- the release ----------------------------------------------------------------------------------


def test_a_lock_is_released_when_the_managers_answer_again(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.engine.refuse["DELETE /configs"] = "no leader"
    begun: list[float] = []

    def elected() -> None:
        if s.lab.engine.sent.count(CHAOS) == 1 and not begun:
            begun.append(s.clock.now())
            s.clock.at(s.clock.now() + 10, s.lab.engine.refuse.clear)

    pause = s.clock.pause

    def watched(seconds: float) -> None:
        elected()
        pause(seconds)

    s.clock.pause = watched  # type: ignore[method-assign]  # the run's clock
    s.experiment.run()
    assert s.lab.engine.sent.count(CHAOS) == 11
    assert lock.find(s.lab.engine, lock.CHAOS) is None


def test_a_lock_that_is_not_released_within_a_minute_is_said_with_the_remedy(
    tmp_path: Path,
) -> None:
    s = stage(tmp_path)
    s.lab.engine.refuse["DELETE /configs"] = "no leader"
    journal = s.experiment.run()
    assert (journal.outcome, journal.undo.state) == ("held", "done")
    assert s.lab.engine.sent.count(CHAOS) == 61
    assert (
        "waited 60 s for the Swarm's chaos lock to be released; last seen: no leader; "
        "release it: swarmctl chaos revert --from-swarm"
    ) in s.progress.lines
