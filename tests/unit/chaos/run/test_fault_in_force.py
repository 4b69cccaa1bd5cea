"""A verdict is about a fault that was in force all the time, and about nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.chaos.fault.node_script import IN_FORCE
from swarmctl.chaos.journal.journal import Journal
from swarmctl.errors import SwarmctlError
from tests.unit.chaos.stage import Stage, stage

OOM = "swarmctl-chaos-x-load.service: Failed with result 'oom-kill'."


def sentence(journal: Journal) -> str:
    assert journal.verdict is not None
    return journal.verdict.sentence


def since_fault(journal: Journal, kind: str) -> float:
    moment, fault = journal.moment(kind), journal.moment("fault")
    assert moment is not None
    assert fault is not None
    return moment - fault


@pytest.mark.parametrize("fault", ["memory", "cpu", "disk-full"])
def test_pressure_that_ends_by_itself_proves_nothing(tmp_path: Path, fault: str) -> None:
    """Broken: the kernel kills the memory filler after 8 s, and 30 s of pressure are HELD."""
    s = stage(tmp_path, fault=fault)
    s.lab.in_force = lambda: IN_FORCE if s.clock.now() < 12 else OOM
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert journal.verdict is not None
    assert not journal.verdict.held
    at_s = since_fault(journal, "fault-ended")
    assert since_fault(journal, "verdict") - at_s < 1  # there is nothing more to observe
    assert sentence(journal).startswith("INCONCLUSIVE: wkr2 was ")
    assert f"the fault ended by itself at +{at_s:.1f} s: wkr2: {fault} is not in" in sentence(
        journal
    )
    assert "oom-kill" in sentence(journal)


def test_a_machine_that_someone_else_starts_proves_nothing(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.clock.at(10, lambda: s.lab.start("i-wkr2"))
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert "wkr2 was started by someone else (EC2: pending)" in sentence(journal)


def test_an_old_answer_of_ec2_is_not_taken_for_a_start(tmp_path: Path) -> None:
    """EC2's answers are eventually consistent: one may be older than the one before it."""
    s, asked = stage(tmp_path), iter(range(1000))
    state = s.lab.state
    s.lab.state = lambda instance: "running" if next(asked) == 3 else state(instance)  # type: ignore[method-assign]  # EC2's
    assert s.experiment.run().outcome == "held"


def test_a_drained_node_that_someone_else_activates_proves_nothing(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="drain", duration_s=60)
    s.clock.at(20, lambda: s.lab.set_availability("wkr2", "active"))
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert "wkr2 was set to active by someone else" in sentence(journal)


def slow_load(root: Path) -> Stage:
    s = stage(root, fault="cpu")

    def active() -> str:
        if s.clock.now() < 25:
            raise SwarmctlError("inactive")
        return ""

    s.lab.answers = {"--on-active": "", "--property=RuntimeMaxSec": "", "is-active": active}
    return s


def test_the_duration_counts_from_when_the_fault_is_in_force(tmp_path: Path) -> None:
    """Broken: arming takes 29 s, and 1 s of pressure passes for 30."""
    journal = slow_load(tmp_path).experiment.run()
    assert journal.outcome == "held"
    assert since_fault(journal, "verdict") - since_fault(journal, "pressed") >= 30


def test_a_node_that_does_not_show_whether_the_fault_lasts_proves_nothing(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="loss")
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes

    def silent() -> str:
        raise SwarmctlError("wkr2 does not answer")

    s.lab.in_force = lambda: IN_FORCE if s.clock.now() < 12 else silent()
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert "the fault was seen in force for" in sentence(journal)
    assert sentence(journal).endswith("s only, of 30 s")
