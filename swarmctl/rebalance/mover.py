"""Move after move, service after service, each looked at anew before it; under the locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from swarmctl.errors import DeadlineExceededError, RefusedError
from swarmctl.rebalance.look import whole_swarm
from swarmctl.rebalance.move import Means, Move, NotMovedError
from swarmctl.rebalance.plan import Proposal, propose, unevenness
from swarmctl.swarm import lock

# Seconds a move may take beside its waits: reading, sending, an election.
_OVERHEAD = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one service.

    Attributes:
        proposal: as it was planned in the beginning.
        after: replicas by node at the end.
        moved: replicas that were moved.
        least: the fewest that were seen running.
        problem: why it was not finished; ``""`` when it was.
    """

    proposal: Proposal
    after: Mapping[str, int]
    moved: int
    least: int
    problem: str = ""


def carry_out(proposals: Sequence[Proposal], means: Means) -> list[Result]:
    """Move what was proposed.

    Args:
        proposals: see :func:`swarmctl.rebalance.plan.propose`.
        means: what with.

    Raises:
        RefusedError: an experiment is under way.
        NotPutBackError: a service has one replica too many; says what to type.
        ManagerError: no manager answers any more.
    """
    todo = [proposal for proposal in proposals if proposal.moves]
    if not todo:
        return []
    seconds = sum(_seconds(proposal, means) for proposal in todo)
    me = lock.this_process("rebalance")
    with lock.held(means.engine, lock.CHAOS, seconds, me, means.say):
        return [_locked(proposal, means, me) for proposal in todo]


def _seconds(proposal: Proposal, means: Means) -> float:
    return len(proposal.moves) * (2 * means.timeout + _OVERHEAD)


def _locked(first: Proposal, means: Means, me: lock.Owner) -> Result:
    """Even out one service while nobody deploys its stack."""
    with ExitStack() as stack:
        if first.stack:
            subject, seconds = lock.of_stack(first.stack), _seconds(first, means)
            try:
                stack.enter_context(lock.held(means.engine, subject, seconds, me, means.say))
            except RefusedError as fault:
                return Result(first, first.before, 0, first.replicas, fault.message)
        return _even_out(first, means)


def _even_out(first: Proposal, means: Means) -> Result:
    now, moved, least, problem = first, 0, first.replicas, ""
    while now.moves and not problem:
        means.signals.check()
        means.say(f"{first.service}: {now.moves[0]}: one more first …")
        move, begun = Move(means, first.service, first.id, first.replicas), means.clock()
        try:
            move.carry_out()
        except (NotMovedError, DeadlineExceededError) as fault:
            problem = fault.message
        least = min(least, move.least)
        then = _look_again(first, means)
        problem = problem or _trouble(first, now, then)
        if then is None or not then.before:
            break
        if not problem:
            moved += 1
            took = means.clock() - begun
            means.say(f"{first.service}: one {_what_moved(now, then)}, {took:.1f} s")
        now = then
    return Result(first, now.before, moved, least, problem)


def _look_again(first: Proposal, means: Means) -> Proposal | None:
    found = propose(whole_swarm(means.engine))
    return next((proposal for proposal in found if proposal.id == first.id), None)


def _trouble(first: Proposal, before: Proposal, then: Proposal | None) -> str:
    """Why not to go on, or ``""``."""
    if then is None:
        return "it was removed meanwhile"
    if not then.before:
        return then.reason
    if then.replicas != first.replicas:
        return f"somebody has scaled it to {then.replicas} meanwhile"
    if unevenness(then.before) >= unevenness(before.before):
        return (
            "no progress: Swarm has put the new replica, or taken one away, elsewhere than wanted"
        )
    return ""


def _what_moved(before: Proposal, then: Proposal) -> str:
    nodes = dict.fromkeys([*before.before, *then.before])
    changes = {n: then.before.get(n, 0) - before.before.get(n, 0) for n in nodes}
    less = ", ".join(n for n, change in changes.items() if change < 0)
    more = ", ".join(n for n, change in changes.items() if change > 0)
    return f"from {less} to {more}"
