"""Faults on a node itself: the timer before the fault, and the undo at any time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.kind import Effect, Options
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.faults.disk_full import DiskFull
from swarmctl.chaos.faults.partition import Partition
from swarmctl.chaos.journal.journal import Journal, Mark
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.run.revert_from_journal import revert
from swarmctl.errors import RefusedError, SwarmctlError, UsageError
from tests.unit.chaos.faults.contexts import bare
from tests.unit.chaos.simulated_swarm import node
from tests.unit.chaos.stage import Quiet, Stage, stage

# Words that only one of the scripts of a partition has; in the order they are looked for.
ARM, BEGIN, HEAL = "--on-active", "rules | nft --file", "nft delete table"
WIDE = Limits(max_nodes=4)


def down_at_begin(s: Stage, begin: str = BEGIN, heal: str = HEAL) -> None:
    """The managers lose a node when its fault begins, and have it back when it is healed."""

    def back() -> str:
        if s.lab.states["wkr2"] == "stopped":
            s.lab.start("i-wkr2")
        return ""

    def gone() -> str:
        s.lab.stop("i-wkr2")
        return ""

    s.lab.answers |= {ARM: "", begin: gone, heal: back}
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes


def cut_off(root: Path, **more: object) -> Stage:
    s = stage(root, fault="partition", **more)  # type: ignore[arg-type]  # stage's own arguments
    down_at_begin(s)
    return s


def sent(s: Stage, words: str) -> list[int]:
    return [index for index, line in enumerate(s.lab.log) if words in line]


def fails() -> str:
    raise SwarmctlError("it does not")


# -- the order ---------------------------------------------------------------------------------


def test_the_timer_ticks_before_anything_is_broken(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    assert s.experiment.run().outcome == "held"
    (armed,), (begun,) = sent(s, ARM), sent(s, BEGIN)
    assert armed < begun


def test_every_timer_ticks_before_the_first_target_is_broken(tmp_path: Path) -> None:
    s = cut_off(tmp_path, targets=("wkr2", "wkr3"), limits=WIDE, timeout_s=20)
    s.experiment.run()
    assert len(sent(s, ARM)) == len(sent(s, BEGIN)) == 2
    assert max(sent(s, ARM)) < min(sent(s, BEGIN))


def test_without_a_timer_nothing_is_broken(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    s.lab.answers[ARM] = fails
    with pytest.raises(SwarmctlError, match="it does not"):
        s.experiment.run()
    assert sent(s, BEGIN) == []
    assert s.experiment.journal.undo.state == "done"


def test_the_timer_follows_the_time_the_run_may_take(tmp_path: Path) -> None:
    s = cut_off(tmp_path, timeout_s=30)
    s.experiment.run()
    script = s.lab.log[sent(s, ARM)[0]]
    assert "ttl=150\n" in script
    assert '--on-active="$ttl"' in script
    assert "AccuracySec=1s" in script  # systemd's own default is a minute


def test_the_undo_script_lies_on_the_node(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    journal = s.experiment.run()
    home = f"/run/swarmctl-chaos/{journal.id}"
    assert f"home={home}\n" in s.lab.log[sent(s, ARM)[0]]
    (step,) = journal.undo.steps
    assert (step.action, step.by_hand) == ("heal-node", f"ssh wkr2 sudo sh {home}/undo")


def test_what_a_reboot_does_not_heal_is_undone_after_one(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="disk-full")
    (step,) = s.experiment.rehearse().undo.steps
    assert "/var/lib/swarmctl-chaos/" in step.by_hand
    assert "/etc/tmpfiles.d/" in DiskFull.script.start


# -- refusals ----------------------------------------------------------------------------------


def test_a_node_that_can_not_refuses_in_its_own_words(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    s.lab.answers = {"nft --check": "nft is not installed: install the package nftables\n"}
    with pytest.raises(RefusedError, match="wkr2: nft is not installed: install the package nft"):
        s.experiment.run()
    assert sent(s, ARM) == []


@pytest.mark.parametrize("fault", ["latency", "loss"])
def test_a_kernel_without_netem_refuses(tmp_path: Path, fault: str) -> None:
    s = stage(tmp_path, fault=fault)
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes
    s.lab.answers = {"unshare": "its kernel has no sch_netem\n"}
    with pytest.raises(RefusedError, match="sch_netem"):
        s.experiment.run()


def test_a_node_that_does_not_answer_refuses(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    s.lab.answers = {"nft --check": fails}
    with pytest.raises(RefusedError, match="it does not"):
        s.experiment.run()


def test_there_must_be_a_side_to_be_cut_off_from(tmp_path: Path) -> None:
    s = cut_off(tmp_path, targets=("wkr1",), nodes=[node("mgr1", "manager"), node("wkr1")])
    s.lab.engine.snapshot = lambda: replace(  # type: ignore[method-assign]  # the target alone
        s.lab.snapshot(), nodes=tuple(n for n in s.lab.nodes if n.role == "worker")
    )
    with pytest.raises(RefusedError, match="there are none but the targets"):
        s.experiment.run()


def test_a_side_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody"):
        stage(tmp_path, fault="partition", options=Options(sever="nobody"))


# -- the run -----------------------------------------------------------------------------------


def test_when_it_has_its_effect_and_when_it_is_healed_is_noted(tmp_path: Path) -> None:
    journal = cut_off(tmp_path).experiment.run()
    kinds = [mark.kind for mark in journal.marks]
    order = ["fault", "armed", "unreachable", "node-down", "verdict", "healed", "nodes-ready"]
    assert [kind for kind in kinds if kind in order] == order


def test_without_its_effect_a_verdict_means_nothing(tmp_path: Path) -> None:
    s = cut_off(tmp_path, timeout_s=40)
    s.lab.answers["nft list table"] = fails  # asked last: the undo has these words too
    s.lab.answers = {ARM: "", BEGIN: s.lab.answers[BEGIN], **s.lab.answers}
    journal = s.experiment.run()
    assert journal.outcome == "inconclusive"
    assert journal.verdict is not None
    assert "the fault was not complete in time" in journal.verdict.sentence


def test_pressure_lasts_its_time_and_the_node_stays(tmp_path: Path) -> None:
    journal = stage(tmp_path, fault="cpu").experiment.run()
    assert journal.outcome == "held"
    fault, end = journal.moment("fault"), journal.moment("verdict")
    assert fault is not None
    assert end is not None
    assert end - fault >= 30
    assert journal.moment("node-down") is None


def test_targets_stay_together_on_their_side(tmp_path: Path) -> None:
    s = cut_off(tmp_path, targets=("wkr1", "wkr2"), limits=WIDE, timeout_s=20)
    s.experiment.run()
    assert "peers='10.42.1.11 10.42.2.13'\n" in s.lab.log[sent(s, BEGIN)[0]]


@pytest.mark.parametrize(
    ("sever", "peers"), [("managers", "10.42.1.11"), ("workers", "'10.42.2.11 10.42.2.13'")]
)
def test_one_side_alone_can_be_cut_off(tmp_path: Path, sever: str, peers: str) -> None:
    s = cut_off(tmp_path, options=Options(sever=sever), timeout_s=20)
    s.experiment.run()
    assert f"peers={peers}\n" in s.lab.log[sent(s, BEGIN)[0]]


def test_cut_off_from_workers_alone_a_node_stays_ready(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="partition", options=Options(sever="workers"))
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert FAULTS["partition"].effect is Effect.DOWN


# -- the undo ----------------------------------------------------------------------------------


def pending(s: Stage) -> Journal:
    """What a killed run leaves."""
    journal = s.experiment.rehearse()
    journal.undo = replace(journal.undo, state="planned")
    journal.marks.append(Mark(1.0, "fault", "partition of wkr2"))
    s.runs.save(journal)
    s.lab.log.clear()
    return journal


def undo(s: Stage, journal: Journal) -> Quiet:
    said = Quiet()
    revert(journal, s.runs, s.lab.engine, s.lab, s.lab, s.clock, said)
    return said


def test_another_process_undoes_it(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    journal = pending(s)
    said = undo(s, journal)
    (script,) = s.lab.log
    assert f"run={journal.id}\n" in script
    assert HEAL in script
    assert any(line.endswith("wkr2 is healed") for line in said.lines)


def test_a_timer_that_was_first_is_no_trouble(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    journal = pending(s)
    s.lab.answers = {HEAL: "nothing\n"}
    lines = undo(s, journal).lines
    assert any(line.endswith("nothing was left to undo on wkr2") for line in lines)
    assert s.runs.load(journal.id).undo.state == "done"


def test_a_node_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    journal = pending(s)
    tries: list[float] = []

    def late() -> str:
        tries.append(s.clock.now())
        return fails() if len(tries) < 4 else ""

    s.lab.answers = {HEAL: late}
    undo(s, journal)
    assert len(tries) == 4


def test_the_undo_asks_nothing_of_the_managers(tmp_path: Path) -> None:
    """They may be what is cut off."""
    s = cut_off(tmp_path)
    fault = Partition(replace(bare(), shell=s.lab, clock=s.clock))
    fault.revert(s.experiment.rehearse().undo.steps)


# -- containers that run twice -------------------------------------------------------------------


def test_containers_that_run_twice_are_counted_and_awaited(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    until = 40.0

    def containers() -> str:
        old = [t for t in s.lab.tasks if t.node_id == "id-wkr2" and t.id.endswith(".old")]
        lines = [f"{t.service_id.removeprefix('svc-')} {t.id}" for t in old]
        return "\n".join(lines) if s.clock.now() < until else ""

    s.lab.answers = {"containerd-shim": containers, **s.lab.answers}
    journal = s.experiment.run()
    assert journal.outcome == "held"
    assert journal.duplicates == {"web": 3, "api": 2}
    (text,) = [mark.text for mark in journal.marks if mark.kind == "duplicates"]
    assert text.startswith("3 containers of web, 2 containers of api")
    assert text.endswith("still run on wkr2: Swarm does not fence a node")
    assert (journal.moment("duplicates-gone") or 0) >= until


def test_that_nobody_knows_what_runs_there_refutes_nothing(tmp_path: Path) -> None:
    s = cut_off(tmp_path)
    heard = iter([fails])
    s.lab.answers = {"containerd-shim": lambda: next(heard, str)(), **s.lab.answers}
    assert s.experiment.run().outcome == "held"
    assert any("cannot ask the targets what still runs there" in line for line in s.progress.lines)


# -- the overlay network afterwards ----------------------------------------------------------------


def with_overlay(tmp_path: Path, broken_until: float) -> Stage:
    """A node that was cut off, and an overlay network that is broken for a while."""
    s = cut_off(tmp_path)

    def tested() -> str:
        answer = "yes" if s.clock.now() >= broken_until else "no"
        return "".join(f"{number} {answer}\n" for number in range(20))

    address = "10.0.0.2/16\n"
    s.lab.answers = {"inspect ingress": address, "overlay() {": tested, **s.lab.answers}
    return s


def test_a_run_ends_when_the_overlay_network_answers_again(tmp_path: Path) -> None:
    """Broken: a run ends as held, and services cannot reach each other for another minute."""
    journal = with_overlay(tmp_path, 120.0).experiment.run()
    assert journal.outcome == "held"
    assert 120 <= (journal.moment("overlay") or 0) <= 123


def test_an_overlay_network_that_stays_broken_refutes(tmp_path: Path) -> None:
    journal = with_overlay(tmp_path, 10_000.0).experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict is not None
    assert "the overlay network is broken: mgr1 does not answer wkr1" in journal.verdict.sentence


def test_a_run_that_cut_nobody_off_does_not_ask_the_nodes_about_it(tmp_path: Path) -> None:
    s = stage(tmp_path, fault="cpu")
    assert s.experiment.run().moment("overlay") is None
    assert not any("overlay() {" in line for line in s.lab.log)


def test_an_overlay_network_that_nobody_could_test_is_not_called_whole(tmp_path: Path) -> None:
    """Broken: no node answered, and the journal says that all reach each other."""
    journal = cut_off(tmp_path).experiment.run()
    (text,) = [mark.text for mark in journal.marks if mark.kind == "overlay"]
    assert text.startswith("the overlay network could not be tested from mgr1, wkr1")
