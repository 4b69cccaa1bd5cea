"""Carrying out an undo plan: by the run itself, or later by ``swarmctl chaos revert``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from swarmctl.chaos.fault.fault import Fault, UndoAction
from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal.journal import Journal, UndoStep
from swarmctl.chaos.world.protocols import Clock
from swarmctl.errors import Exit, SwarmctlError
from swarmctl.swarm.model import Node, Swarm
from swarmctl.wait import wait_for

READY_TIMEOUT_S = 300.0
# A node that the managers never noticed was away is Ready on paper; so long it must stay so.
_STEADY_S = 3.0


class RevertFailedError(SwarmctlError):
    """Something that was taken away is not back."""

    exit_code = Exit.REVERT_FAILED


@dataclass(frozen=True)
class Undoing:
    """What carrying out an undo plan needs.

    Args:
        fault: knows how to undo its own steps.
        effect: of the fault.
        look: takes a snapshot; ``None`` when no manager answered.
        why_blind: says why ``look`` saw nothing.
        clock: the run's time.
        status: says what is being awaited; completes "waiting for …".
        mark: puts a moment on the time line.
        save: stores the journal.
    """

    fault: Fault
    effect: Effect
    look: Callable[[], Swarm | None]
    why_blind: Callable[[], str]
    clock: Clock
    status: Callable[[str], None]
    mark: Callable[[str, str], None]
    save: Callable[[], None]


def carry_out(journal: Journal, undoing: Undoing) -> None:
    """Undo whatever is not undone, until every machine runs and every node is Ready.

    Raises:
        RevertFailedError: it did not work; the journal says so too, and it can be tried again.
    """
    if not journal.undo.pending:
        return
    undoing.mark("revert", "revert begins")
    try:
        undoing.fault.revert(journal.undo.steps)
        _await_ready(journal, undoing)
    except Exception as error:
        message = error.message if isinstance(error, SwarmctlError) else repr(error)
        journal.undo = replace(journal.undo, state="failed", detail=message)
        undoing.save()
        raise failure(journal, message) from error
    journal.undo = replace(journal.undo, state="done", detail="")
    undoing.mark("reverted", "everything is put back")
    undoing.save()


def failure(journal: Journal, why: str) -> RevertFailedError:
    """The error for an undo plan that did not work, with what to do by hand."""
    by_hand = "; ".join(dict.fromkeys(step.by_hand for step in journal.undo.steps))
    return RevertFailedError(
        f"revert of {journal.id} failed: {why}",
        f"try again: swarmctl chaos revert {journal.id}; by hand: {by_hand}",
    )


def _await_ready(journal: Journal, undoing: Undoing) -> None:
    steps = journal.undo.steps
    if not steps:
        return
    steady = 0.0 if _nothing_to_doubt(journal, undoing.effect) else _STEADY_S
    ready_since: list[float] = []

    def look() -> tuple[bool | None, str]:
        swarm = undoing.look()
        missing = _not_ready(steps, swarm) if swarm else undoing.why_blind()
        undoing.status(f"the nodes to be Ready again: {missing or 'steady'}")
        if missing:
            ready_since.clear()
            return None, missing
        ready_since.append(undoing.clock.now())
        return (True if ready_since[-1] - ready_since[0] >= steady else None), "Ready"

    wait_for(
        f"{', '.join(step.node for step in steps)} to be Ready in the Swarm",
        look,
        timeout=READY_TIMEOUT_S,
        clock=undoing.clock.now,
        pause=undoing.clock.pause,
    )
    undoing.mark("nodes-ready", f"{', '.join(step.node for step in steps)} Ready again")


def _nothing_to_doubt(journal: Journal, effect: Effect) -> bool:
    if effect in (Effect.DRAINED, Effect.STAYS):
        return True  # the nodes were Ready all the time
    untouched = journal.moment("fault") is None
    return untouched or len(journal.moments("node-down")) >= len(journal.undo.steps)


def _not_ready(steps: Sequence[UndoStep], swarm: Swarm) -> str:
    nodes = {step.node: _node(step, swarm) for step in steps}
    return ", ".join(
        f"{name} is {node.state if node else 'not in the Swarm'}"
        for name, node in nodes.items()
        if node is None or not node.live
    )


def _node(step: UndoStep, swarm: Swarm) -> Node | None:
    """The node a step is about; one that was made anew has another id."""
    same = swarm.node_by_id(step.node_id)
    if step.action == UndoAction.REPLACE_INSTANCE and (same is None or not same.live):
        return swarm.node_by_name(step.node)
    return same
