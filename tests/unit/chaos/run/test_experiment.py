"""The whole experiment in simulated time: verdicts, and above all what is left behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import html
from swarmctl.chaos.run.interrupts import InterruptedRunError
from swarmctl.chaos.run.steps.revert import RevertFailedError
from swarmctl.errors import Exit, RefusedError, SwarmctlError
from swarmctl.swarm.model import Port
from tests.unit.chaos.simulated_swarm import DETECT_S, RUN_S, service
from tests.unit.chaos.stage import Stage, stage


def test_a_lost_worker_is_made_good_and_put_back(tmp_path: Path) -> None:
    s = stage(tmp_path)
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert s.lab.log == ["stop wkr2", "start wkr2"]
    assert journal.verdict is not None
    assert journal.verdict.sentence.startswith("HELD: wkr2 was lost; 5 of 5 lost replicas run")
    took = journal.verdict.redistributed_s or 0.0
    fault = journal.moment("fault") or 0.0
    assert DETECT_S + RUN_S <= took - fault < DETECT_S + RUN_S + 0.5
    assert "wkr2" not in {node for counts in journal.after.values() for node in counts}
    assert s.prober.closed


def test_the_undo_plan_is_on_disk_before_the_fault(tmp_path: Path) -> None:
    s = stage(tmp_path)
    found: list[Journal] = []
    s.lab.hooks["stop"] = lambda: found.extend(s.runs.pending())
    s.experiment.run()
    assert [run.undo.state for run in found] == ["planned"]
    assert found[0].undo.steps[0].instance_id == "i-wkr2"
    assert found[0].undo.steps[0].by_hand == "aws ec2 start-instances --instance-ids i-wkr2"


def test_no_undo_plan_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s = stage(tmp_path)
    save = type(s.runs).save

    def full_disk(runs: object, journal: Journal) -> None:
        if journal.undo.pending:
            raise SwarmctlError("cannot write the journal: No space left on device")
        save(s.runs, journal)

    monkeypatch.setattr(type(s.runs), "save", full_disk)
    with pytest.raises(SwarmctlError, match="No space left"):
        s.experiment.run()
    assert s.lab.log == []


def test_a_disk_that_fills_up_later_does_not_stop_the_revert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(tmp_path)

    def full_disk(runs: object, journal: Journal) -> None:
        raise SwarmctlError("cannot write the journal: No space left on device")

    s.lab.hooks["stop"] = lambda: monkeypatch.setattr(type(s.runs), "save", full_disk)
    assert s.experiment.run().outcome == "held"
    assert s.lab.log == ["stop wkr2", "start wkr2"]


def test_a_pinned_service_is_refuted_with_swarms_own_reason(tmp_path: Path) -> None:
    s = stage(tmp_path, pinned={"db": "wkr2"}, timeout_s=40)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert journal.verdict.reasons == (
        "db 0/1: 1 pending: no suitable node (scheduling constraints not satisfied on 3 nodes; "
        "1 node not available for new tasks)",
    )
    assert s.lab.states["wkr2"] == "running"
    assert journal.final["db"] == {"wkr2": 1}


def test_counters_that_still_say_all_is_well_are_not_believed(tmp_path: Path) -> None:
    """The node is Down, its tasks go on saying "running", nothing is ever replaced."""
    s = stage(tmp_path, reschedules=False, timeout_s=30)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert "web 7/10: 3 on wkr2, which is down" in journal.verdict.sentence
    web = next(o for o in journal.verdict.services if o.service == "web")
    assert (web.serving, web.wanted) == (7, 10)


def test_running_replicas_that_do_not_answer_are_refuted(tmp_path: Path) -> None:
    """Counters can look healthy while the data path is broken (moby#41668)."""
    port = Port("tcp", 80, 80, "ingress")
    s = stage(tmp_path, services=[service("web", 6, ports=(port,))], timeout_s=40)
    s.prober.silent = lambda e: e.node == "wkr3" and "stop wkr2" in s.lab.log
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert "web on wkr3" in journal.verdict.sentence
    assert "connection refused" in journal.verdict.sentence


def test_replicas_that_answer_a_little_later_are_waited_for(tmp_path: Path) -> None:
    port = Port("tcp", 80, 80, "ingress")
    s = stage(tmp_path, services=[service("web", 6, ports=(port,))])
    s.prober.silent = lambda e: e.node == "wkr3" and 5 < s.clock.now() < 30
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert (journal.moment("verdict") or 0) > 30
    assert (journal.moment("redistributed") or 0) < 25


def test_a_global_service_wants_one_less_while_the_node_is_away(tmp_path: Path) -> None:
    s = stage(tmp_path, services=[service("web", 4), service("agent", 0, mode="global")])
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert journal.verdict is not None
    agent = next(o for o in journal.verdict.services if o.service == "agent")
    assert (agent.wanted, agent.stayed, agent.replaced) == (3, 3, 0)
    assert journal.wanted["agent"] == 4


# -- Ctrl-C and its relatives ---------------------------------------------------------------------

PHASES_WITH_A_FAULT = ("stop", "state", "snapshot-after-fault", "observing", "node-down", "judged")


def _interrupt_at(s: Stage, moment: str) -> None:
    def note() -> None:
        s.interrupts.note("SIGINT")

    if moment in ("stop", "state"):
        s.lab.hooks[moment] = note
    elif moment == "snapshot-after-fault":
        s.lab.hooks["snapshot"] = lambda: note() if s.lab.log else None
    else:
        after = {"observing": 6.0, "node-down": 17.0, "judged": 21.2}[moment]
        s.clock.at(after, note)


@pytest.mark.parametrize("moment", PHASES_WITH_A_FAULT)
def test_an_interrupt_at_any_moment_after_the_fault_reverts(tmp_path: Path, moment: str) -> None:
    s = stage(tmp_path)
    _interrupt_at(s, moment)
    with pytest.raises(InterruptedRunError) as caught:
        s.experiment.run()
    assert caught.value.exit_code == Exit.INTERRUPTED
    assert s.lab.log == ["stop wkr2", "start wkr2"]
    assert s.lab.states["wkr2"] == "running"
    assert all(node.live for node in s.lab.nodes)
    assert s.runs.load(s.experiment.journal.id).undo.state == "done"
    assert s.runs.load(s.experiment.journal.id).outcome == "interrupted"
    assert s.runs.pending() == ()


@pytest.mark.parametrize("moment", ["instances", "now", "snapshot"])
def test_an_interrupt_before_the_fault_touches_nothing(tmp_path: Path, moment: str) -> None:
    s = stage(tmp_path)
    s.lab.hooks[moment] = lambda: s.interrupts.note("SIGINT")
    with pytest.raises(InterruptedRunError):
        s.experiment.run()
    assert s.lab.log == []
    assert s.runs.pending() == ()


def test_an_interrupt_between_plan_and_fault_does_not_inject(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.hooks["snapshot"] = lambda: (
        s.interrupts.note("SIGTERM") if s.experiment.journal.undo.pending else None
    )
    with pytest.raises(InterruptedRunError):
        s.experiment.run()
    assert s.lab.log == []
    assert s.experiment.journal.undo.state == "done"


def test_a_second_interrupt_does_not_abandon_the_revert(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    s = stage(tmp_path)
    s.clock.at(6.0, lambda: s.interrupts.note("SIGINT"))
    for moment in range(7, 20):
        s.clock.at(float(moment), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(InterruptedRunError):
        s.experiment.run()
    assert s.lab.states["wkr2"] == "running"
    assert s.experiment.journal.undo.state == "done"
    said = capfd.readouterr().err
    assert "Still reverting; a signal does not stop it." in said
    assert "Waiting for EC2 to have the machines running: wkr2" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_real_signals_revert(tmp_path: Path, number: signal.Signals) -> None:
    s = stage(tmp_path)
    s.lab.hooks["stop"] = lambda: os.kill(os.getpid(), number)
    before = signal.getsignal(number)
    with pytest.raises(InterruptedRunError, match=number.name):
        s.experiment.run()
    assert s.lab.log == ["stop wkr2", "start wkr2"]
    assert signal.getsignal(number) == before


def test_an_error_reverts_too(tmp_path: Path) -> None:
    s = stage(tmp_path)

    def bug() -> None:
        if 9 < s.clock.now() < 10:
            raise ZeroDivisionError

    s.lab.hooks["snapshot"] = bug
    with pytest.raises(ZeroDivisionError):
        s.experiment.run()
    assert s.lab.states["wkr2"] == "running"
    assert s.experiment.journal.outcome == "error"
    assert s.runs.pending() == ()


# -- the revert -----------------------------------------------------------------------------------


def test_a_stop_that_ended_in_an_error_but_arrived_is_undone(tmp_path: Path) -> None:
    """StopInstances timed out on the way back: nobody knows, until it shows."""
    s = stage(tmp_path)
    s.lab.stop_delay_s = 2.0
    s.lab.fail["stop"] = SwarmctlError("StopInstances: read timeout")
    with pytest.raises(SwarmctlError, match="read timeout"):
        s.experiment.run()
    assert s.lab.log == ["stop wkr2", "start wkr2"]
    assert s.lab.states["wkr2"] == "running"


def test_a_busy_api_during_the_revert_is_asked_again(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.clock.at(30.0, lambda: s.lab.fail.clear())
    s.clock.at(6.0, lambda: s.interrupts.note("SIGINT"))
    s.clock.at(6.0, lambda: s.lab.fail.update(state=SwarmctlError("RequestLimitExceeded")))
    with pytest.raises(InterruptedRunError):
        s.experiment.run()
    assert s.lab.states["wkr2"] == "running"


def test_a_revert_that_fails_says_what_to_do_by_hand(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    with pytest.raises(RevertFailedError) as caught:
        s.experiment.run()
    assert caught.value.exit_code == Exit.REVERT_FAILED
    assert "InsufficientInstanceCapacity" in caught.value.message
    assert "aws ec2 start-instances --instance-ids i-wkr2" in caught.value.hint
    assert f"swarmctl chaos revert {s.experiment.journal.id}" in caught.value.hint
    assert [run.id for run in s.runs.pending()] == [s.experiment.journal.id]


def test_a_node_that_was_never_missed_must_stay_ready_for_a_while(tmp_path: Path) -> None:
    """Started again before anybody noticed: "Ready" is what they believe, not what they saw."""
    s = stage(tmp_path)
    s.clock.at(3.0, lambda: s.interrupts.note("SIGINT"))
    with pytest.raises(InterruptedRunError):
        s.experiment.run()
    marks = {mark.kind: mark.at_s for mark in s.experiment.journal.marks}
    assert marks["nodes-ready"] - marks["instance-running"] >= 3.0


def test_managers_that_do_not_answer_for_a_while_are_no_verdict(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.clock.at(5.0, lambda: s.lab.fail.update(snapshot=SwarmctlError("10.42.1.11: no answer")))
    s.clock.at(60.0, lambda: s.lab.fail.clear())
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert len(journal.blind) == 1
    since, until, why = journal.blind[0]
    assert until - since > 50
    assert why == "10.42.1.11: no answer"


def test_what_is_about_to_die_is_not_asked(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.experiment.run()
    assert "10.42.2.12" in s.lab.avoided


# -- refusals -------------------------------------------------------------------------------------


def test_a_run_that_is_not_undone_refuses_the_next_one(tmp_path: Path) -> None:
    first = stage(tmp_path)
    first.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    with pytest.raises(RevertFailedError):
        first.experiment.run()
    second = stage(tmp_path)
    with pytest.raises(RefusedError) as caught:
        second.experiment.run()
    assert caught.value.exit_code == Exit.REFUSED
    assert f"swarmctl chaos revert {first.experiment.journal.id}" in caught.value.hint
    assert second.lab.log == []


def test_a_second_experiment_at_the_same_time_is_refused(tmp_path: Path) -> None:
    s = stage(tmp_path)
    with s.runs.lock(), pytest.raises(RefusedError, match=f"process {os.getpid()}"):
        stage(tmp_path).experiment.run()


def test_an_unhealthy_swarm_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.set_node("wkr3", "down")
    with pytest.raises(RefusedError, match="swarm-healthy") as caught:
        s.experiment.run()
    assert "node wkr3 is down" in caught.value.message
    assert s.lab.log == []
    assert s.runs.load(s.experiment.journal.id).outcome == "refused"


def test_a_swarm_that_turns_unhealthy_after_the_guards_is_refused(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.hooks["snapshot"] = lambda: (
        s.lab.set_node("wkr3", "down") if s.experiment.journal.undo.pending else None
    )
    with pytest.raises(RefusedError, match="changed before the fault"):
        s.experiment.run()
    assert s.lab.log == []


def test_a_published_service_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    port = Port("tcp", 80, 80, "ingress")
    s = stage(tmp_path, services=[service("web", 6, ports=(port,))])
    s.prober.silent = lambda endpoint: endpoint.node == "mgr1"
    with pytest.raises(RefusedError, match="probes-answer") as caught:
        s.experiment.run()
    assert "http://10.42.1.11:80/" in caught.value.message
    assert "--probe-service" in caught.value.hint


def test_a_published_port_without_http_behind_it_is_left_out_and_that_is_said(
    tmp_path: Path,
) -> None:
    web, db = Port("tcp", 80, 80, "ingress"), Port("tcp", 5432, 5432, "ingress")
    s = stage(tmp_path, services=[service("web", 6, ports=(web,)), service("db", 1, ports=(db,))])
    s.prober.silent = lambda endpoint: endpoint.service == "db"
    s.prober.not_http = lambda endpoint: endpoint.service == "db"
    assert s.experiment.run().outcome == "held"
    assert "not probed, no HTTP behind the published port: db" in s.progress.lines


# -- what is written ------------------------------------------------------------------------------


def test_the_journal_on_disk_is_the_whole_run_and_can_be_read_again(tmp_path: Path) -> None:
    s = stage(tmp_path)
    journal = s.experiment.run()
    raw = json.loads((tmp_path / journal.id / "journal.json").read_text())
    assert raw["phase"] == "ended"
    assert raw["prediction"] is None
    assert s.runs.load(journal.id) == journal


def test_the_report_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    port = Port("tcp", 80, 80, "ingress")
    s = stage(tmp_path, services=[service("web", 6, ports=(port,))])
    page = html.write(s.runs, s.experiment.run()).read_text()
    assert "HELD" in page
    assert "<svg" in page
    assert "<script" not in page
    for attribute in ('src="', 'href="http', "url(http", "@import"):
        assert attribute not in page


def test_a_report_can_be_made_of_a_run_that_ended_early(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.set_node("wkr3", "down")
    with pytest.raises(RefusedError):
        s.experiment.run()
    page = html.page([s.runs.load(s.experiment.journal.id)])
    assert "REFUSED" in page
    assert "nothing was touched" in page


def test_the_fault_is_told_before_it_is_done(tmp_path: Path) -> None:
    s = stage(tmp_path)
    s.lab.hooks["stop"] = lambda: s.lab.log.append(f"asked {len(s.asked)}")
    s.experiment.run()
    assert "asked 1" in s.lab.log
    assert s.asked == [["stop wkr2 (i-wkr2); undo: start it and wait until Ready"]]
