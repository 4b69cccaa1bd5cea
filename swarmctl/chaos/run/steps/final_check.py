"""Check again: with everything put back, every service must serve as before, steadily.

After an Engine was cut off, the overlay network must answer between all nodes, too.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import judgement, words
from swarmctl.chaos.run.judging.reasons import NotBack, Reason
from swarmctl.chaos.run.watch import STEADY_S
from swarmctl.errors import DeadlineExceededError
from swarmctl.network.paths import settled_paths
from swarmctl.swarm.model import Swarm
from swarmctl.wait import Clock, wait_for

# How long all replicas may take to serve once the nodes are back.
TIMEOUT_S = 120.0


def check(context: Context) -> None:
    """Wait until every replica serves, steadily; if that does not happen, the run is refuted.

    Raises:
        InterruptedRunError: a signal came.
    """
    log, journal = context.log, context.journal
    log.step("checking", "Check again")
    since: dict[str, float] = {}  # when this was missing first; "": nothing

    def steady() -> tuple[str | None, str]:
        """What is missing for good, or ``""``: every replica serves."""
        context.world.interrupts.check()
        swarm = context.watch.try_snapshot()
        if swarm is None:
            return None, context.watch.observer.last_error
        missing, for_good = _missing(context, swarm)
        log.awaiting(f"all replicas to serve steadily: {missing or 'all serve'}")
        if missing and not for_good:
            since.clear()
            return None, missing
        begin = since.setdefault(missing, log.clock.now())
        lasted = log.clock.now() - begin >= STEADY_S
        return (missing if lasted else None), missing or "all serve"

    try:
        missing = wait_for(
            "all replicas to serve after the revert",
            steady,
            timeout=TIMEOUT_S,
            clock=log.clock.now,
            pause=log.clock.pause,
        )
    except DeadlineExceededError as error:
        missing = error.message
    if context.kind.keeps_running and not missing:
        missing = _overlay(context)
    assert context.result is not None
    reasons = context.result.reasons
    if missing:
        log.mark("final-check", missing)
        reasons = (*reasons, NotBack(missing))
    else:
        log.mark("final-check", "all replicas serve", since[""])
    context.result = replace(context.result, reasons=reasons, meanwhile=context.meanwhile())
    journal.verdict = words.verdict(context.result)
    journal.final = judgement.placement(context.watch.newest())


def _overlay(context: Context) -> str:
    """What of the overlay network does not answer for good, or ``""``.

    An Engine that was cut off returns with what it believed of the others; see ``network.paths``.
    """
    log, swarm = context.log, context.watch.newest()

    def awaiting(trouble: str) -> None:
        context.world.interrupts.check()
        log.awaiting(f"the overlay network to answer between all nodes: {trouble}")

    clock = Clock(log.clock.now, log.clock.pause)
    paths = settled_paths(context.world.shell, swarm, awaiting, clock)
    if trouble := paths.overlay_trouble():
        return f"the overlay network is broken: {trouble}"
    untested = ", ".join(paths.overlay_untested(swarm))
    outcome = f"could not be tested from {untested}" if untested else "answers between all nodes"
    log.mark("overlay", f"the overlay network {outcome}")
    return ""


def _missing(context: Context, swarm: Swarm) -> tuple[str, bool]:
    """What is missing, and whether all of it is missing for good."""
    short = judgement.shortages(swarm, context.journal.wanted)
    gone = [judgement.lost_for_good(swarm, one.service) for one in short]
    for_good = all(one.wanted - one.serving <= len(g) for one, g in zip(short, gone, strict=True))
    reasons: tuple[Reason, ...] = (*short, *itertools.chain(*gone))
    missing = "; ".join(map(words.reason, reasons))
    return missing or context.duplicates.left(swarm), bool(short) and for_good
