"""The last question of a run: with everything put back, does everything serve as before?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from swarmctl.chaos.run import verdict
from swarmctl.chaos.run.record import Record
from swarmctl.chaos.run.watch import STEADY_S, Watch
from swarmctl.errors import DeadlineExceededError
from swarmctl.swarm.model import Swarm
from swarmctl.wait import wait_for

# How long all replicas may take to serve once the nodes are back.
TIMEOUT_S = 120.0


def final_check(watch: Watch, record: Record, left: Callable[[Swarm], str]) -> None:
    """Wait until all serves, steadily; if it never does, the verdict is refuted.

    Args:
        watch: looks at the Swarm.
        record: the run's; its journal has a verdict.
        left: what still runs on the returned nodes and should not; ``""`` for nothing.

    Raises:
        InterruptedRunError: a signal came.
    """
    record.step("checking", "Check again")
    journal, clock = record.journal, record.clock
    whole_since: list[float] = []

    def look() -> tuple[Swarm | None, str]:
        record.interrupts.check()
        swarm = watch.look()
        if swarm is None:
            return None, watch.observer.last_error
        missing = "; ".join(verdict.shortages(swarm, journal.wanted)) or left(swarm)
        record.awaiting(f"all replicas to serve, and to go on: {missing or 'they do'}")
        if missing:
            whole_since.clear()
            return None, missing
        whole_since.append(clock.now())
        return (swarm if whole_since[-1] - whole_since[0] >= STEADY_S else None), "they serve"

    try:
        swarm = wait_for(
            "all replicas to serve after the revert",
            look,
            timeout=TIMEOUT_S,
            clock=clock.now,
            pause=clock.pause,
        )
    except DeadlineExceededError as error:
        record.mark("final-check", error.message)
        result = journal.verdict
        assert result is not None
        text = result.sentence.replace("HELD:", "REFUTED:", 1)
        journal.verdict = replace(
            result,
            held=False,
            sentence=f"{text}; {error.message}",
            reasons=(*result.reasons, error.message),
        )
        swarm = watch.seen()
    else:
        record.mark("final-check", "all replicas serve", whole_since[0])
    journal.final = verdict.placement(swarm)
