"""Check again: with everything put back, every service must serve as before, steadily."""

from __future__ import annotations

from dataclasses import replace

from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import judgement, words
from swarmctl.chaos.run.judging.reasons import NotBack
from swarmctl.chaos.run.watch import STEADY_S
from swarmctl.errors import DeadlineExceededError
from swarmctl.swarm.model import Swarm
from swarmctl.wait import wait_for

# How long all replicas may take to serve once the nodes are back.
TIMEOUT_S = 120.0


def check(context: Context) -> None:
    """Wait until every replica serves, steadily; if that does not happen, the run is refuted.

    Raises:
        InterruptedRunError: a signal came.
    """
    log, journal = context.log, context.journal
    log.step("checking", "Check again")
    serving_since: list[float] = []

    def all_serve() -> tuple[Swarm | None, str]:
        context.world.interrupts.check()
        swarm = context.watch.try_snapshot()
        if swarm is None:
            return None, context.watch.observer.last_error
        missing = _missing(context, swarm)
        log.awaiting(f"all replicas to serve steadily: {missing or 'all serve'}")
        if missing:
            serving_since.clear()
            return None, missing
        serving_since.append(log.clock.now())
        return (swarm if serving_since[-1] - serving_since[0] >= STEADY_S else None), "all serve"

    try:
        swarm = wait_for(
            "all replicas to serve after the revert",
            all_serve,
            timeout=TIMEOUT_S,
            clock=log.clock.now,
            pause=log.clock.pause,
        )
    except DeadlineExceededError as error:
        log.mark("final-check", error.message)
        assert context.result is not None
        reasons = (*context.result.reasons, NotBack(error.message))
        context.result = replace(context.result, reasons=reasons)
        journal.verdict = words.verdict(context.result)
        swarm = context.watch.newest()
    else:
        log.mark("final-check", "all replicas serve", serving_since[0])
    journal.final = judgement.placement(swarm)


def _missing(context: Context, swarm: Swarm) -> str:
    short = judgement.shortages(swarm, context.journal.wanted)
    return "; ".join(map(words.reason, short)) or context.duplicates.left(swarm)
