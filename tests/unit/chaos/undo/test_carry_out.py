"""Carrying out an undo plan: when it counts as done, what is said, and what stays to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault.fault import Fault, UndoAction
from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal.journal import Journal, Mark, TargetRecord, Undo, UndoStep
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.steps.revert import RevertFailedError, carry_out, failure
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.doctor.place import RUN, pending
from tests.unit.chaos.faults.contexts import bare
from tests.unit.chaos.simulated_swarm import Clock, node, workers
from tests.unit.chaos.stage import Quiet

DOWN = Mark(15.0, "node-down", "wkr2 is Down")
HIT = Mark(3.0, "fault", "instance-stop of wkr2")


class Stub(Fault):
    """Undoes nothing by itself; it may fail, or find machines gone."""

    def __init__(self, error: Exception | None = None, lost: dict[str, str] | None = None) -> None:
        super().__init__(bare())
        self.error, self.to_lose, self.asked = error, lost or {}, list[UndoStep]()

    def describe(self, target: TargetRecord) -> str:
        raise NotImplementedError

    def inject(self, targets: Sequence[TargetRecord]) -> None:
        raise NotImplementedError

    def revert(self, steps: Sequence[UndoStep]) -> None:
        self.asked += steps
        if self.error:
            raise self.error
        self.lost |= self.to_lose


class Shown(Quiet):
    """Keeps what is awaited, too."""

    def status(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Scene:
    """A killed run of an instance-stop, and a Swarm whose nodes change at a moment."""

    runs: Runs
    journal: Journal = field(default_factory=pending)
    clock: Clock = field(default_factory=Clock)
    said: Quiet = field(default_factory=Quiet)
    swarm: Swarm = field(default_factory=lambda: Swarm(tuple(workers(2)), (), ()))
    silent_until: float = 0.0

    @property
    def log(self) -> RunLog:
        return RunLog(self.journal, self.runs, self.clock, self.said, Interrupts())

    def change(self, **fields: str) -> Callable[[], None]:
        """A call that changes wkr2 in the Swarm."""

        def call() -> None:
            nodes = (
                replace(n, **fields) if n.hostname == "wkr2" else n  # type: ignore[arg-type]  # texts
                for n in self.swarm.nodes
            )
            self.swarm = replace(self.swarm, nodes=tuple(nodes))

        return call

    def snapshot(self) -> Swarm:
        if self.clock.now() < self.silent_until:
            raise SwarmctlError("no manager answers")
        return self.swarm

    def carry_out(self, fault: Fault | None = None, effect: Effect = Effect.DOWN) -> None:
        carry_out(self.log, fault or Stub(), effect, self.snapshot)

    def texts(self) -> list[tuple[str, str]]:
        return [(mark.kind, mark.text) for mark in self.journal.marks]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Runs(tmp_path))


def test_a_plan_that_is_carried_out_is_done_and_stored(scene: Scene) -> None:
    fault = Stub()
    scene.carry_out(fault)
    assert tuple(fault.asked) == scene.journal.undo.steps
    assert (scene.journal.undo.state, scene.journal.undo.detail) == ("done", "")
    assert scene.texts() == [
        ("revert", "revert begins"),
        ("nodes-ready", "wkr2 Ready again"),
        ("reverted", "everything is put back"),
    ]
    assert scene.runs.load(RUN).undo == scene.journal.undo


def test_a_plan_that_is_done_is_left_alone(scene: Scene) -> None:
    scene.journal.undo = Undo("done", scene.journal.undo.steps)
    scene.carry_out(Stub(SwarmctlError("not called")))
    assert scene.texts() == []


@pytest.mark.parametrize(
    ("error", "why"),
    [(SwarmctlError("no capacity"), "no capacity"), (KeyError("x"), "KeyError('x')")],
)
def test_whatever_goes_wrong_the_plan_stays_with_the_reason(
    scene: Scene, error: Exception, why: str
) -> None:
    with pytest.raises(RevertFailedError) as caught:
        scene.carry_out(Stub(error))
    assert caught.value.message == f"revert of {RUN} failed: {why}"
    assert caught.value.__cause__ is error
    assert scene.journal.undo.pending
    stored = scene.runs.load(RUN).undo
    assert (stored.state, stored.detail, stored.steps) == ("failed", why, scene.journal.undo.steps)


def test_a_machine_that_is_gone_for_good_is_not_waited_for(scene: Scene) -> None:
    scene.change(state="down")()
    scene.carry_out(Stub(lost={"wkr2": "wkr2: it was terminated", "wkr9": "wkr9: it, too"}))
    lost = "wkr2: it was terminated; wkr9: it, too"
    assert (scene.journal.undo.state, scene.journal.undo.detail) == ("done", lost)
    assert scene.texts()[1:] == [
        ("reverted", f"lost: {lost}; to replace it: ansible-playbook playbooks/site.yml")
    ]


def test_the_error_says_what_to_do_by_hand_each_command_once() -> None:
    journal = pending()
    steps = [replace(journal.undo.steps[0], by_hand=text) for text in ("one", "", "two", "one")]
    journal.undo = replace(journal.undo, steps=tuple(steps))
    error = failure(journal, "why")
    assert error.message == f"revert of {RUN} failed: why"
    assert error.hint == f"try again: swarmctl chaos revert {RUN}; by hand: one; two"


# --- until the nodes are back ---------------------------------------------------------------------


def test_the_nodes_are_waited_for_and_what_is_awaited_is_shown(scene: Scene) -> None:
    scene.journal.marks += [HIT, DOWN]
    scene.change(state="down")()
    scene.clock.at(20, scene.change(state="ready"))
    scene.said = Shown()
    scene.carry_out()
    shown = [line for line in scene.said.lines if line.startswith("waiting")]
    assert 20 <= scene.clock.now() < 20.5  # the managers saw it go: it need not last
    prefix = "waiting for the nodes to be Ready again: "
    assert shown[0] == f"{prefix}wkr2 is down"
    assert shown[-1] == f"{prefix}steady"


@pytest.mark.parametrize(
    ("marks", "effect", "seconds"),
    [
        # The managers did not notice that it went: they may still believe it is Ready.
        ([HIT], Effect.DOWN, 3.0),
        ([HIT], Effect.RETURNS, 3.0),
        ([HIT, DOWN], Effect.DOWN, 0.0),
        ([], Effect.DOWN, 0.0),  # nothing was touched
        ([HIT], Effect.DRAINED, 0.0),  # it was Ready all the time
        ([HIT], Effect.STAYS, 0.0),
    ],
)
def test_ready_must_last_unless_the_managers_saw_the_node_go(
    scene: Scene, marks: list[Mark], effect: Effect, seconds: float
) -> None:
    scene.journal.marks += marks
    scene.carry_out(effect=effect)
    assert seconds <= scene.clock.now() < seconds + 0.5


def test_every_node_must_have_been_seen_to_go(scene: Scene) -> None:
    (step,) = scene.journal.undo.steps
    other = replace(step, node="wkr1", node_id="id-wkr1")
    scene.journal.undo = replace(scene.journal.undo, steps=(step, other))
    scene.journal.marks += [HIT, DOWN]
    scene.carry_out()
    assert 3.0 <= scene.clock.now() < 3.5
    assert ("nodes-ready", "wkr2, wkr1 Ready again") in scene.texts()


def test_a_node_that_goes_again_must_be_ready_anew(scene: Scene) -> None:
    scene.journal.marks.append(HIT)
    scene.clock.at(2, scene.change(state="down"))
    scene.clock.at(10, scene.change(state="ready"))
    scene.carry_out()
    assert 13.0 <= scene.clock.now() < 14.0


def test_managers_that_do_not_answer_are_asked_again(scene: Scene) -> None:
    scene.silent_until = 30.0
    scene.carry_out()
    assert scene.clock.now() >= 30.0


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"state": "down"}, "wkr2 is down"),
        ({"state": "unknown"}, "wkr2 is unknown"),
        ({"id": "another"}, "wkr2 is not in the Swarm"),
        ({"reachability": "unreachable"}, "wkr2 is unreachable as a manager"),
    ],
)
def test_a_node_that_does_not_come_back_is_named_after_five_minutes(
    scene: Scene, fields: dict[str, str], seen: str
) -> None:
    scene.change(**fields)()
    text = f"waited 300 s for wkr2 to be Ready in the Swarm; last seen: {seen}"
    with pytest.raises(RevertFailedError) as caught:
        scene.carry_out()
    assert caught.value.message == f"revert of {RUN} failed: {text}"
    assert 300 <= scene.clock.now() < 301


def test_all_nodes_that_are_missing_are_named(scene: Scene) -> None:
    (step,) = scene.journal.undo.steps
    gone = replace(step, node="wkr7", node_id="id-wkr7")
    there = replace(step, node="wkr1", node_id="id-wkr1")
    scene.journal.undo = replace(scene.journal.undo, steps=(step, gone, there))
    scene.change(state="down")()
    with pytest.raises(RevertFailedError) as caught:
        scene.carry_out()
    seen = "wkr2, wkr7, wkr1 to be Ready in the Swarm; last seen: wkr2 is down, "
    assert caught.value.message.endswith(f"{seen}wkr7 is not in the Swarm")


@pytest.mark.parametrize(("action", "back"), [("replace-instance", True), ("heal-node", False)])
def test_a_machine_that_is_made_anew_is_back_under_its_name(
    scene: Scene, action: str, back: bool
) -> None:
    """Its node has another id; no other undo may take another node for the one that was hit."""
    scene.journal.undo = replace(
        scene.journal.undo,
        steps=tuple(replace(s, action=UndoAction(action)) for s in scene.journal.undo.steps),
    )
    anew = replace(node("wkr2"), id="id-anew")
    for nodes in ((*workers(1), anew), (*workers(1), node("wkr2", state="down"), anew)):
        scene.swarm = Swarm(nodes, (), ())
        scene.journal.undo = replace(scene.journal.undo, state="planned")
        if back:
            scene.carry_out()
        else:
            with pytest.raises(RevertFailedError):
                scene.carry_out()
