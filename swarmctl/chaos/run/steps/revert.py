"""Revert: carry out the undo plan, in the run itself or later by ``swarmctl chaos revert``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from swarmctl.chaos.fault.fault import Fault, UndoAction
from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal.journal import Journal, UndoStep
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.steps import undo_plan
from swarmctl.errors import Exit, SwarmctlError
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node
from swarmctl.wait import wait_for

# The managers may never have noticed that a node was away: it must stay Ready for so long.
_STEADY_S = 3.0
_REPLACE = "to replace it: ansible-playbook playbooks/site.yml"


class RevertFailedError(SwarmctlError):
    """Something could not be put back."""

    exit_code = Exit.REVERT_FAILED


def put_back(context: Context) -> None:
    """Carry out the run's undo plan, if it has one. Signals are acknowledged and do not stop it.

    Raises:
        RevertFailedError: it did not work.
    """
    if not context.journal.undo.pending:
        return
    context.watch.end_loss()
    context.world.interrupts.reverting()
    context.log.step("reverting", "Revert")
    carry_out(context.log, context.fault, context.kind.effect, context.watch.observer.snapshot)
    undo_plan.release(context)
    context.world.interrupts.reverted()


def carry_out(log: RunLog, fault: Fault, effect: Effect, snapshot: Callable[[], Swarm]) -> None:
    """Undo whatever is not undone, until every machine runs and every node is Ready.

    Args:
        log: its journal has the undo plan.
        snapshot: of the Swarm; raises ``SwarmctlError`` when no manager answers.

    Raises:
        RevertFailedError: it did not work; the journal says so too, and it can be tried again.
    """
    journal = log.journal
    if not journal.undo.pending:
        return
    log.mark("revert", "revert begins")
    try:
        fault.revert(journal.undo.steps)
        lost = "; ".join(fault.lost.values())
        steps = [step for step in journal.undo.steps if step.node not in fault.lost]
        _await_ready(log, steps, effect, snapshot)
    except Exception as error:  # of any kind: the journal says it, then it is raised
        message = error.message if isinstance(error, SwarmctlError) else repr(error)
        journal.undo = replace(journal.undo, state="failed", detail=message)
        log.try_save()
        raise failure(journal, message) from error
    journal.undo = replace(journal.undo, state="done", detail=lost)
    log.mark("reverted", f"lost: {lost}; {_REPLACE}" if lost else "everything is put back")
    log.try_save()


def failure(journal: Journal, why: str) -> RevertFailedError:
    """The error for an undo plan that did not work, with what to do by hand."""
    by_hand = "; ".join(dict.fromkeys(filter(None, (s.by_hand for s in journal.undo.steps))))
    return RevertFailedError(
        f"revert of {journal.id} failed: {why}",
        f"try again: swarmctl chaos revert {journal.id}; by hand: {by_hand}",
    )


def _await_ready(
    log: RunLog, steps: Sequence[UndoStep], effect: Effect, snapshot: Callable[[], Swarm]
) -> None:
    if not steps:
        return
    steady_s = 0.0 if _state_is_certain(log.journal, effect) else _STEADY_S
    ready_since: list[float] = []

    def all_ready() -> tuple[bool | None, str]:
        try:
            missing = _not_ready(steps, snapshot())
        except SwarmctlError as error:
            missing = error.message
        log.awaiting(f"the nodes to be Ready again: {missing or 'steady'}")
        if missing:
            ready_since.clear()
            return None, missing
        ready_since.append(log.clock.now())
        return (True if ready_since[-1] - ready_since[0] >= steady_s else None), "Ready"

    names = ", ".join(step.node for step in steps)
    wait_for(
        f"{names} to be Ready in the Swarm",
        all_ready,
        timeout=undo_plan.READY_TIMEOUT_S,
        clock=log.clock.now,
        pause=log.clock.pause,
    )
    log.mark("nodes-ready", f"{names} Ready again")


def _state_is_certain(journal: Journal, effect: Effect) -> bool:
    """Whether "Ready" is what the managers have seen, and not what they still believe."""
    if effect in (Effect.DRAINED, Effect.STAYS):
        return True  # the nodes were Ready all the time
    untouched = journal.moment("fault") is None
    return untouched or len(journal.moments("node-down")) >= len(journal.undo.steps)


def _not_ready(steps: Sequence[UndoStep], swarm: Swarm) -> str:
    nodes = {step.node: _node(step, swarm) for step in steps}
    return ", ".join(
        f"{name} is {_trouble(node)}" for name, node in nodes.items() if _trouble(node)
    )


def _trouble(node: Node | None) -> str:
    """Why a node is not back; a manager is back when the other managers reach it."""
    if node is None:
        return "not in the Swarm"
    if not node.live:
        return node.state
    return "unreachable as a manager" if node.reachability == "unreachable" else ""


def _node(step: UndoStep, swarm: Swarm) -> Node | None:
    """The node a step is about; one that was made anew has another id."""
    same = swarm.node_by_id(step.node_id)
    if step.action == UndoAction.REPLACE_INSTANCE and (same is None or not same.live):
        return swarm.node_by_name(step.node)
    return same
