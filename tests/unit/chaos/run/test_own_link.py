"""What this machine did not see because it was cut off itself refutes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.probes.probe import Endpoint, ProbeResult
from swarmctl.chaos.probes.tcp import Tcp
from swarmctl.chaos.run.own_link import OwnLink
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Port
from tests.unit.chaos.simulated_swarm import service
from tests.unit.chaos.stage import Stage, stage

WEB = service("web", 4, ports=(Port("tcp", 80, 80, "ingress"),))
STRICT = Hypothesis(within_s=30, tolerances={"web": Tolerance(longest_outage_s=2.0)})


def silence(
    s: Stage, since: float, until: float, *, nodes: bool = True, probes: bool = True
) -> None:
    """No manager answers for a while; no node and no probe either, unless told otherwise."""
    cut = [False]
    known = s.lab.reachable
    s.lab.reachable = lambda node: not (cut[0] and nodes) and known(node)  # type: ignore[method-assign]  # this lab's
    s.prober.silent = lambda place: cut[0] and probes

    def begin() -> None:
        cut[0] = True
        s.lab.fail["snapshot"] = SwarmctlError("no manager answers: timed out")

    def end() -> None:
        cut[0] = False
        s.lab.fail.clear()

    s.clock.at(since, begin)
    s.clock.at(until, end)


def judged(s: Stage) -> Journal:
    journal = s.experiment.run()
    assert journal.verdict is not None
    return journal


def sentence(journal: Journal) -> str:
    assert journal.verdict is not None
    return journal.verdict.sentence


def test_a_run_that_ends_while_this_machine_is_cut_off_is_inconclusive(tmp_path: Path) -> None:
    """Broken: REFUTED, "no manager answers", because the operator's own link was down."""
    s = stage(tmp_path, services=[WEB], timeout_s=20)
    silence(s, since=8, until=60)
    journal = judged(s)
    assert journal.outcome == "inconclusive"
    assert "no other node and no probe answered" in sentence(journal)


@pytest.mark.parametrize(("nodes", "probes"), [(False, True), (True, False)])
def test_managers_that_alone_are_silent_refute(tmp_path: Path, nodes: bool, probes: bool) -> None:
    """Another node, or a service, answers: it is not this machine that is cut off."""
    s = stage(tmp_path, services=[WEB], timeout_s=20)
    silence(s, since=8, until=60, nodes=nodes, probes=probes)
    journal = judged(s)
    assert journal.outcome == "refuted"
    assert "no manager answers: no manager answers: timed out" in sentence(journal)


def test_probes_that_were_lost_while_this_machine_was_cut_off_refute_nothing(
    tmp_path: Path,
) -> None:
    s = stage(tmp_path, services=[WEB], fault="cpu", hypothesis=STRICT)
    silence(s, since=10, until=16)
    journal = judged(s)
    assert journal.outcome == "inconclusive"
    assert "answered: this machine may have been cut off" in sentence(journal)


def test_probes_that_were_lost_while_other_nodes_answered_refute(tmp_path: Path) -> None:
    s = stage(tmp_path, services=[WEB], fault="cpu", hypothesis=STRICT)
    silence(s, since=10, until=16, nodes=False)
    journal = judged(s)
    assert journal.outcome == "refuted"
    assert "web: an outage of" in sentence(journal)


def test_a_short_cut_that_hid_nothing_does_not_hinder(tmp_path: Path) -> None:
    s = stage(tmp_path, services=[WEB], fault="cpu")
    silence(s, since=10, until=12)
    assert judged(s).outcome == "held"


def test_being_cut_off_counts_from_the_fault_at_the_earliest(tmp_path: Path) -> None:
    """Broken: where nothing was heard since the fault, it seems to have been so from the start."""
    s = stage(tmp_path, services=[WEB], fault="cpu", timeout_s=20)

    def cut() -> bool:
        return s.experiment.journal.moment("fault") is not None and s.clock.now() < 60

    def snapshot() -> None:
        if cut():
            raise SwarmctlError("no manager answers: timed out")

    known = s.lab.reachable
    s.lab.reachable = lambda node: not cut() and known(node)  # type: ignore[method-assign]  # this lab's
    s.prober.silent = lambda place: cut()
    s.lab.hooks["snapshot"] = snapshot
    journal = judged(s)
    assert journal.outcome == "inconclusive"
    assert "from +0.0 s on, for 40.0 s" in sentence(journal)


@pytest.mark.parametrize(
    ("down_at", "cut"), [(10.15, ((10.1, 18.0),)), (10.05, ((10.0, 18.0),)), (99.0, ())]
)
def test_probes_are_answered_between_the_last_snapshot_and_the_cut(
    down_at: float, cut: tuple[tuple[float, float], ...]
) -> None:
    """Broken: a probe answered a moment after the last snapshot began hides the whole cut."""
    link = OwnLink(lambda node: False, ("wkr1",))
    link.heard(10.0)
    link.no_manager(lambda: 15.0)
    link.no_manager(lambda: 18.0)
    web = Endpoint("web", "wkr1", Tcp("10.0.0.5", 80))
    sent = [number / 10 for number in range(95, 185)]
    probes = [ProbeResult(at_s, web, at_s < down_at, 0.004, "") for at_s in sent]
    assert link.cut_off(probes) == cut
    assert link.is_cut_off(probes) == bool(cut)
