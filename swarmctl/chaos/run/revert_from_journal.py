"""``swarmctl chaos revert``: undo from the journal alone, in another process, at any later time."""

from __future__ import annotations

from dataclasses import replace

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.context import make_fault
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.log import RunLog
from swarmctl.chaos.run.steps.revert import carry_out, failure
from swarmctl.chaos.world.protocols import Clock, Ec2, Progress, Shell
from swarmctl.errors import SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine


def revert(
    journal: Journal,
    runs: Runs,
    engine: Engine,
    ec2: Ec2,
    shell: Shell,
    clock: Clock,
    progress: Progress,
) -> None:
    """Carry out what is left of a run's undo plan.

    Args:
        journal: of the run; nothing happens if it has nothing left to undo.
        engine: the managers that run now; they may be others than at the fault.
        clock: the run's time, which goes on though another process began it.

    Raises:
        RevertFailedError: it did not work; it can be tried again.
    """
    if not journal.undo.pending:
        return
    if journal.experiment not in FAULTS:
        raise failure(journal, f"this version knows no fault {journal.experiment!r}")
    log = RunLog(journal, runs, clock, progress, Interrupts())
    options = Options.of(journal.parameters)
    kind = FAULTS[journal.experiment].with_options(options)
    fault = make_fault(kind, options, engine, ec2, shell, log)
    fault.begun_elsewhere = True
    # What a person would type is made here: text from the Swarm is not shown as a command.
    journal.undo = replace(journal.undo, steps=fault.undo_steps(journal.targets))
    carry_out(log, fault, kind.effect, engine.snapshot)
    _release_lock(engine, log)
    # Whatever the run found before, it was not observed to its end.
    journal.outcome, journal.phase = "interrupted", "ended"
    journal.ended_s = round(clock.now(), 3)
    journal.phases = phases(journal)
    log.save()


def _release_lock(engine: Engine, log: RunLog) -> None:
    """Release the Swarm's chaos lock, if it is this run's."""
    try:
        found = lock.find(engine, lock.CHAOS)
        if found is not None and (found.plan or {}).get("id") == log.journal.id:
            lock.release(engine, found.id)
    except SwarmctlError as fault:
        log.note(f"the Swarm's chaos lock is not released: {fault.message}")
