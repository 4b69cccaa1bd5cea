"""What is remembered of a run, and from which clock."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.observer import Observer
from swarmctl.chaos.world.clocks import EngineClock
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm, Task
from tests.unit.chaos.report_runs import by_hand
from tests.unit.chaos.simulated_swarm import SKEW, START, Clock, Lab, service, stamp, task, workers
from tests.unit.chaos.stage import Quiet


class Script(Lab):
    """Shows a fixed series of tasks, one snapshot after the other."""

    series: list[tuple[Task, ...] | None]

    def snapshot(self) -> Swarm:
        tasks = self.series.pop(0)
        if tasks is None:
            raise SwarmctlError("no answer")
        return Swarm(tuple(self.nodes), tuple(self.services), tasks)


def watched(lab: Lab, clock: Clock) -> Observer:
    log = RunLog(by_hand(), Runs(Path("unused")), clock, Quiet(), Interrupts())
    observer = Observer(lab, log)
    observer.engine_clock = EngineClock(START + SKEW)
    return observer


def observer(*series: tuple[Task, ...] | None) -> tuple[Observer, Clock]:
    clock = Clock()
    script = Script(clock, workers(2), [service("web", 1)])
    script.series = list(series)
    return watched(script, clock), clock


OLD = task("web", 1, "wkr1")


def fresh(state: str, updated: float) -> Task:
    base = task("web", 1, "wkr2", state=state, created=1.02, suffix="new")
    stamp = task("web", 1, "wkr2", created=updated - 1).updated_at
    return replace(base, updated_at=stamp)


def test_moments_come_from_the_engines_records_on_our_clock() -> None:
    watch, clock = observer((OLD,), (OLD,), (fresh("assigned", 1.05),), (fresh("running", 1.31),))
    watch.ignore_tasks_of(watch.snapshot())
    clock.pause(1.0)
    watch.snapshot()
    for _ in range(2):
        clock.pause(0.2)
        watch.snapshot()
    (record,) = watch.log.journal.tasks
    assert (record.created_s, record.assigned_s, record.running_s) == (1.02, 1.05, 1.31)
    assert (record.node, record.state) == ("wkr2", "running")


def test_a_wrong_clock_on_a_node_cannot_move_a_moment_beyond_its_snapshot() -> None:
    watch, clock = observer((), (fresh("running", 3600.0),))
    watch.ignore_tasks_of(watch.snapshot())
    clock.pause(1.5)
    watch.snapshot()
    (record,) = watch.log.journal.tasks
    assert record.running_s == 1.5


def test_tasks_from_before_the_fault_are_not_recorded() -> None:
    watch, _ = observer((OLD,), (OLD,))
    watch.ignore_tasks_of(watch.snapshot())
    watch.snapshot()
    assert watch.log.journal.tasks == ()


def test_a_stretch_without_an_answer_is_one_stretch() -> None:
    watch, clock = observer((OLD,), None, None, None, (OLD,), None)
    for _ in range(6):
        with suppress(SwarmctlError):
            watch.snapshot()
        clock.pause(1.0)
    assert [(since, until) for since, until, _ in watch.log.journal.blind] == [
        (1.0, 3.0),
        (5.0, 5.0),
    ]
    assert watch.is_blind


def test_only_changes_are_kept() -> None:
    watch, clock = observer((OLD,), (OLD,), (OLD,), (), ())
    for _ in range(5):
        watch.snapshot()
        clock.pause(0.2)
    assert [sample.services["web"] for sample in watch.log.journal.samples] == [1, 0]


def test_a_change_is_dated_by_the_managers_own_record() -> None:
    """Broken: detection times are as coarse as our looks."""
    clock = Clock()
    lab = Lab(clock, workers(3), [service("web", 3)])
    observer = watched(lab, clock)
    observer.snapshot()
    clock.pause(0.5)
    lab.nodes = [
        replace(n, state="down", updated_at=stamp(0.31)) if n.hostname == "wkr2" else n
        for n in lab.nodes
    ]
    observer.snapshot()
    (mark,) = observer.log.journal.marks
    assert (mark.at_s, mark.text) == (0.31, "wkr2: ready → down")
    assert observer.log.journal.lag_s == [0.19]
