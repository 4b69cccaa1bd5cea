"""Several runs of one plan: repeated, at intervals, or rolling over the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from swarmctl.chaos.fault import targets
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.world.protocols import Clock
from swarmctl.swarm.model import Swarm


def rounds(plan: Plan, swarm: Swarm | None) -> tuple[Plan, ...]:
    """The runs a plan asks for, one plan each.

    Args:
        plan: the plan as the user gave it.
        swarm: as it is now; only a rolling plan needs it.

    Raises:
        UsageError: a rolling plan without a matching node.
    """
    once = replace(plan, repeat=1, every_s=0.0, rolling=False)
    if not plan.rolling:
        seeds = _seeds(plan)
        return tuple(replace(once, selection=selection) for selection in seeds)
    assert swarm is not None
    each = [
        replace(once, selection=Selection(names=(node.hostname,), service=plan.selection.service))
        for node in targets.candidates(swarm, plan.selection)
    ]
    return tuple(each * plan.repeat)


def _seeds(plan: Plan) -> Iterator[Selection]:
    """Increment a given seed for each run, so that repeats do not all hit the same node."""
    for index in range(plan.repeat):
        seed = plan.selection.seed
        yield plan.selection if seed is None else replace(plan.selection, seed=seed + index)


def carry_out(
    plans: tuple[Plan, ...],
    run: Callable[[Plan], Journal],
    clock: Clock,
    every_s: float,
    keep_going: bool,
) -> list[Journal]:
    """Run the plans one after the other; each run ends only when the Swarm is healthy again.

    Args:
        plans: from :func:`rounds`.
        run: executes one plan; an exception ends the campaign.
        clock: for the intervals.
        every_s: seconds from one start to the next, at least.
        keep_going: continue after a refuted run.
    """
    done: list[Journal] = []
    for plan in plans:
        begin = clock.now()
        done.append(run(plan))
        if done[-1].outcome != "held" and not keep_going:
            break
        if len(done) < len(plans):
            clock.pause(max(0.0, begin + every_s - clock.now()))
    return done
