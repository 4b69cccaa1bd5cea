"""Carry out a plan: one move after the other, each planned from a new snapshot, under the locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from swarmctl.errors import DeadlineExceededError, RefusedError
from swarmctl.moves.context import Context
from swarmctl.rebalance.mover import Mover, NotMovedError
from swarmctl.rebalance.plan import Proposal, propose, unevenness
from swarmctl.swarm import lock
from swarmctl.swarm.snapshot import read_swarm

# Seconds a move may take beside its waits: reading, sending, an election.
_OVERHEAD = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What was done for one service.

    Attributes:
        proposal: the plan at the start.
        after: replicas by node at the end.
        moved: replicas that were moved.
        fewest: the fewest replicas seen running.
        problem: why it is not finished; ``""`` when it is.
    """

    proposal: Proposal
    after: Mapping[str, int]
    moved: int
    fewest: int
    problem: str = ""


def execute(proposals: Sequence[Proposal], context: Context) -> list[Result]:
    """Carry out the moves of each proposal.

    Args:
        proposals: see :func:`swarmctl.rebalance.plan.propose`.
        context: the Swarm, time-outs, output.

    Returns:
        One result for each proposal with moves.

    Raises:
        RefusedError: an experiment is under way.
        NotPutBackError: a service was left with one replica too many; the hint has the command.
        ManagerError: no manager answers any more.
    """
    todo = [proposal for proposal in proposals if proposal.moves]
    if not todo:
        return []
    seconds = sum(_seconds(proposal, context) for proposal in todo)
    owner = lock.this_process("rebalance")
    # If this process is killed, a service may keep one replica too many: `chaos doctor` reads this.
    plan = {lock.REBALANCE: {proposal.id: proposal.replicas for proposal in todo}}
    with lock.held(context.engine, lock.CHAOS, seconds, owner, context.note, plan, context.renewer):
        return [_with_stack_lock(proposal, context, owner) for proposal in todo]


def _seconds(proposal: Proposal, context: Context) -> float:
    return len(proposal.moves) * (2 * context.timeout + _OVERHEAD)


def _with_stack_lock(first: Proposal, context: Context, owner: lock.Owner) -> Result:
    """Rebalance one service while its stack cannot be deployed."""
    with ExitStack() as stack:
        if first.stack:
            subject, seconds = lock.of_stack(first.stack), _seconds(first, context)
            try:
                stack.enter_context(
                    lock.held(
                        context.engine,
                        subject,
                        seconds,
                        owner,
                        context.note,
                        renewer=context.renewer,
                    )
                )
            except RefusedError as fault:
                return Result(first, first.before, 0, first.replicas, fault.message)
        return _rebalance(first, context)


def _rebalance(first: Proposal, context: Context) -> Result:
    mover = Mover(context, first.service, first.id, first.replicas)
    now, moved, problem = first, 0, ""
    while now.moves and not problem:
        context.interrupts.check()
        context.note(f"{first.service}: moving a replica, {now.moves[0]} …")
        begun = context.clock.now()
        try:
            mover.move_one()
        except (NotMovedError, DeadlineExceededError) as fault:
            problem = fault.message
        then = _plan_again(first, context)
        problem = problem or _obstacle(first, now, then)
        if then is None or not then.before:
            break
        if not problem:
            moved += 1
            took = context.clock.now() - begun
            context.note(f"{first.service}: moved one {_route(now, then)}, {took:.1f} s")
        now = then
    return Result(first, now.before, moved, mover.fewest, problem)


def _plan_again(first: Proposal, context: Context) -> Proposal | None:
    found = propose(read_swarm(context.engine))
    return next((proposal for proposal in found if proposal.id == first.id), None)


def _obstacle(first: Proposal, before: Proposal, then: Proposal | None) -> str:
    """Why the service cannot be rebalanced further, or ``""``."""
    if then is None:
        return "the service was removed meanwhile"
    if not then.before:
        return then.reason
    if then.replicas != first.replicas:
        return f"another client has scaled it to {then.replicas} meanwhile"
    if unevenness(then.before) >= unevenness(before.before):
        return "no progress: Swarm added or removed a replica on another node than planned"
    return ""


def _route(before: Proposal, then: Proposal) -> str:
    nodes = dict.fromkeys([*before.before, *then.before])
    changes = {n: then.before.get(n, 0) - before.before.get(n, 0) for n in nodes}
    sources = ", ".join(n for n, change in changes.items() if change < 0)
    targets = ", ".join(n for n, change in changes.items() if change > 0)
    return f"from {sources} to {targets}"
