"""A fault on nodes, script by script: when each is sent, what is said, and how often it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import IN_FORCE
from swarmctl.chaos.faults.cpu import Cpu
from swarmctl.chaos.faults.engine_kill import EngineKill
from swarmctl.chaos.faults.engine_stop import EngineStop
from swarmctl.chaos.faults.latency import Latency
from swarmctl.chaos.faults.partition import Partition
from swarmctl.chaos.journal.journal import Mark
from swarmctl.errors import DeadlineExceededError, SwarmctlError, UsageError
from tests.unit.chaos.faults.contexts import Beside, target

ONE, TWO = target("wkr1"), target("wkr2")


@dataclass
class Nodes(Beside):
    """Answers by the kind of script; a node that is ``dead`` does not answer."""

    sent: list[tuple[float, str, str, float]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    answers: dict[str, Callable[[str], str] | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lab.run = self.run  # type: ignore[method-assign]  # SSH

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        kind = kind_of(script)
        self.sent.append((self.now, kind, node, timeout_s))
        self.scripts.append(script)
        if node in self.dead:
            raise SwarmctlError(f"{node} does not answer")
        answer = self.answers.get(kind, IN_FORCE if kind == "in force" else "")
        return answer if isinstance(answer, str) else answer(node)

    def times(self, kind: str, node: str = "wkr1") -> list[float]:
        return [at for at, sent, to, _ in self.sent if (sent, to) == (kind, node)]


def kind_of(script: str) -> str:
    if "systemd-run --quiet --collect" in script and '"$home/undo.new"' in script:
        return "arm"
    if f"echo {IN_FORCE}" in script:
        return "in force"
    if "echo nothing" in script:
        return "revert"
    if "undone already" in script:
        return "start"
    return "other"


@pytest.fixture
def at() -> Nodes:
    return Nodes()


def begun(at: Nodes, fault: NodeFault) -> NodeFault:
    fault.inject([ONE, TWO])
    return fault


def wait(at: Nodes, fault: NodeFault, seconds: float) -> None:
    until = at.now + seconds
    while at.now < until:
        fault.watch([ONE, TWO])
        at.lab.clock.pause(0.25)


# --- before it, and its beginning -----------------------------------------------------------------


def test_what_will_be_done_is_said_with_its_options_and_undo(at: Nodes) -> None:
    timer = "auto-heal timer: 90 s"
    assert Partition(at.context(sever="managers")).describe(ONE) == (
        "cut wkr1 off from the managers (nftables; SSH passes); its containers keep running; "
        f"undo: remove the packet filters; {timer}"
    )
    assert Latency(at.context(sever="workers", delay_ms=50)).describe(ONE) == (
        "delay packets from wkr1 to the workers by 50 ms (tc netem); "
        f"undo: remove the queue; {timer}"
    )
    assert Cpu(at.context()).describe(ONE) == (
        f"keep 100 % of the processors of wkr1 busy; undo: stop the load; {timer}"
    )
    assert Cpu(at.context(level=40)).describe(ONE).startswith("keep 40 % of")
    (step,) = Cpu(at.context()).undo_steps([ONE])
    assert step.action == "heal-node"
    assert step.by_hand == "ssh wkr1 sudo sh /run/swarmctl-chaos/20260102-030405-x/undo"


def test_each_nodes_own_reason_is_a_refusal(at: Nodes) -> None:
    at.answers["other"] = lambda node: "nft is \n not installed\n" if node == "wkr1" else ""
    assert Cpu(at.context()).refusal([ONE, TWO]) == "wkr1: nft is not installed"
    at.dead = {"wkr2"}
    assert Cpu(at.context()).refusal([ONE, TWO]) == (
        "wkr1: nft is not installed; wkr2 does not answer"
    )
    at.answers.clear()
    at.dead.clear()
    assert Cpu(at.context()).refusal([ONE, TWO]) == ""
    assert {timeout for *_, timeout in at.sent} == {60.0}


@pytest.mark.parametrize(
    ("sever", "refusal"),
    [("workers", "the workers: there are none but the targets"), ("managers", ""), ("all", "")],
)
def test_there_must_be_another_side(at: Nodes, sever: str, refusal: str) -> None:
    at.lab.nodes = [n for n in at.lab.nodes if n.hostname in ("mgr1", "wkr1", "wkr2")]
    assert Partition(at.context(sever=sever)).refusal([ONE, TWO]) == refusal


def test_the_timers_are_set_on_all_nodes_before_the_first_fault(at: Nodes) -> None:
    begun(at, Partition(at.context()))
    assert [kind for _, kind, _, _ in at.sent] == ["arm", "arm", "start", "start"]
    assert at.checks == 2
    assert at.marks == [Mark(0.0, "armed", "wkr1, wkr2: auto-heal timer set: 90 s")]


def test_a_crash_of_the_engine_is_marked_at_once(at: Nodes) -> None:
    begun(at, EngineKill(at.context()))
    assert at.texts("unreachable") == [
        "the Engine of wkr1 is dead",
        "the Engine of wkr2 is dead",
    ]


@pytest.mark.parametrize("kind", ["arm", "start"])
def test_all_nodes_that_fail_are_named(at: Nodes, kind: str) -> None:
    def fails(node: str) -> str:
        raise SwarmctlError(f"{node}: no")

    at.answers[kind] = fails
    with pytest.raises(SwarmctlError, match=r"^wkr1: no; wkr2: no$"):
        begun(at, Cpu(at.context()))
    assert bool(at.times("start")) is (kind == "start")


def test_every_script_has_the_runs_values_and_the_other_side(at: Nodes) -> None:
    fault = Partition(at.context())
    fault.refusal([TWO])
    fault.inject([TWO])
    fault.watch([TWO])
    at.lab.clock.pause(1.0)
    fault.watch([TWO])
    check, _, _, effect, in_force = at.scripts
    assert Partition.script.check in check
    assert Partition.script.in_effect in effect
    assert IN_FORCE in in_force
    for script in at.scripts:
        assert "run=20260102-030405-x\n" in script
        assert "peers='10.42.1.11 10.42.2.11 10.42.2.13'\n" in script
    fault.revert(fault.undo_steps([TWO]))
    assert "run=20260102-030405-x\n" in at.scripts[-1]
    assert Partition.script.undo in at.scripts[-1]


def test_a_fault_without_another_side_asks_no_manager(at: Nodes) -> None:
    at.lab.fail["snapshot"] = SwarmctlError("no manager answers")
    fault = begun(at, Cpu(at.context()))
    wait(at, fault, 2)
    assert fault.took_effect()


def test_a_side_that_does_not_exist_is_a_usage_error(at: Nodes) -> None:
    with pytest.raises(UsageError) as caught:
        Partition(at.context(sever="nobody"))
    assert caught.value.message == "from 'nobody'?"
    assert caught.value.hint == "one of: managers, workers, all"


# --- while it lasts -------------------------------------------------------------------------------


def test_nothing_is_looked_at_before_it_begins(at: Nodes) -> None:
    fault = Cpu(at.context())
    wait(at, fault, 2)
    assert at.sent == []
    assert not fault.took_effect()


def test_its_effect_is_looked_for_twice_a_second_on_nodes_that_do_not_show_it_yet(
    at: Nodes,
) -> None:
    fault = begun(at, Cpu(at.context()))

    def late(node: str) -> str:
        if node == "wkr2" and at.now < 1.2:
            raise SwarmctlError("inactive")
        return ""

    at.answers["other"] = late
    wait(at, fault, 1.2)
    assert at.times("other", "wkr1") == [0.0]
    assert at.times("other", "wkr2") == [0.0, 0.5, 1.0]
    assert not fault.took_effect()
    wait(at, fault, 0.5)
    assert fault.took_effect()
    assert {timeout for _, kind, _, timeout in at.sent if kind == "other"} == {4.0}
    assert [mark for mark in at.marks if mark.kind == "pressed"] == [
        Mark(0.0, "pressed", "100 % of the processors of wkr1 are kept busy"),
        Mark(1.5, "pressed", "100 % of the processors of wkr2 are kept busy"),
    ]


@pytest.mark.parametrize(("kind", "silenced"), [(EngineStop, "wkr1"), (Partition, "")])
def test_containers_that_end_with_the_fault_do_not_answer_from_then_on(
    at: Nodes, kind: type[NodeFault], silenced: str
) -> None:
    fault = begun(at, kind(at.context()))
    wait(at, fault, 0.25)
    assert next(mark.silenced for mark in at.marks if mark.kind == "unreachable") == silenced


def test_a_fault_in_force_is_looked_at_every_second_and_known_since_the_question(
    at: Nodes,
) -> None:
    fault = begun(at, Cpu(at.context()))
    assert fault.seen_s() == at.now

    def slow(node: str) -> str:
        at.lab.clock.pause(0.3)
        return f" {IN_FORCE}\n"

    at.answers["in force"] = slow
    wait(at, fault, 0.25)
    at.sent.clear()
    wait(at, fault, 4)
    asked = at.times("in force")
    assert len(asked) >= 2
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(asked))
    assert {timeout for *_, timeout in at.sent} == {1.5}
    assert fault.seen_s() <= asked[-1] < at.now
    assert fault.end is None


def test_a_silent_node_says_nothing_and_is_asked_less_often(at: Nodes) -> None:
    fault = begun(at, Cpu(at.context()))
    wait(at, fault, 0.5)
    at.dead = {"wkr2"}
    at.sent.clear()
    wait(at, fault, 11)
    assert at.times("in force") == [0.5, 5.5, 10.5]
    assert fault.end is None
    assert fault.seen_s() == 0.0  # of wkr2


@pytest.mark.parametrize(
    ("said", "why"),
    [("", ""), ("\n", ""), ("killed by \n oom-kill\n", " (killed by oom-kill)")],
)
def test_a_fault_that_is_not_in_force_any_more_has_ended(at: Nodes, said: str, why: str) -> None:
    fault = begun(at, Cpu(at.context()))
    wait(at, fault, 0.5)
    at.answers["in force"] = said
    wait(at, fault, 3)
    assert fault.end is not None
    assert (fault.end.at_s, fault.end.what) == (0.5, f"wkr1: cpu is not in force any more{why}")
    assert at.texts("fault-ended") == [fault.end.what]  # once


def test_a_crash_is_over_by_itself_and_that_is_no_end(at: Nodes) -> None:
    fault = begun(at, EngineKill(at.context()))
    wait(at, fault, 12)
    assert at.times("in force") == []
    assert fault.took_effect()
    assert fault.end is None
    assert fault.seen_s() == at.now


# --- the undo -------------------------------------------------------------------------------------


def test_every_node_is_healed_and_one_that_does_not_answer_is_asked_every_second(
    at: Nodes,
) -> None:
    fault = begun(at, Cpu(at.context()))
    at.dead = {"wkr2"}
    at.answers["revert"] = lambda node: "nothing\n" if node == "wkr1" else ""
    at.lab.clock.at(3.0, at.dead.clear)
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert at.times("revert", "wkr1") == [0.0]
    assert at.times("revert", "wkr2") == [0.0, 1.0, 2.0, 3.0]
    assert at.texts("healed") == ["nothing was left to undo on wkr1", "wkr2 is healed"]
    assert at.shown == [
        "wkr1, wkr2 to heal",
        *["wkr2 to heal: wkr2 does not answer"] * 3,
    ]


def test_a_node_that_stays_silent_is_named_after_three_minutes(at: Nodes) -> None:
    fault = begun(at, Cpu(at.context()))
    at.dead = {"wkr1", "wkr2"}
    text = (
        "waited 180 s for wkr1, wkr2 to be healed; "
        "last seen: wkr1 does not answer; wkr2 does not answer"
    )
    with pytest.raises(DeadlineExceededError, match=f"^{text}$"):
        fault.revert(fault.undo_steps([ONE, TWO]))
    assert "wkr1, wkr2 to heal: wkr1 does not answer; wkr2 does not answer" in at.shown


def test_a_machine_that_was_terminated_is_lost(at: Nodes) -> None:
    fault = begun(at, Cpu(at.context()))
    at.dead = {"wkr1"}
    at.lab.states["wkr1"] = "terminated"
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert fault.lost == {"wkr1": "wkr1: its instance i-wkr1 was terminated"}
    assert at.texts("healed") == ["wkr2 is healed"]


def test_an_ec2_that_does_not_answer_loses_no_machine(at: Nodes) -> None:
    fault = begun(at, Cpu(at.context()))
    at.dead = {"wkr1"}
    at.lab.fail["state"] = SwarmctlError("RequestLimitExceeded")
    at.lab.clock.at(2.0, at.dead.clear)
    fault.revert(fault.undo_steps([ONE]))
    assert fault.lost == {}
    assert at.texts("healed") == ["wkr1 is healed"]


def test_a_step_without_an_instance_is_never_lost(at: Nodes) -> None:
    """Such a plan may come from the Swarm's lock: a node fault needs no instance."""
    fault = Cpu(at.context())
    asked: list[Any] = []
    at.lab.hooks["state"] = lambda: asked.append(1)
    (step,) = fault.undo_steps([ONE])
    assert not fault.gone(type(step)(step.action, step.node, step.node_id, "", ""))
    assert asked == []
