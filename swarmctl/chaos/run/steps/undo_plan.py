"""Undo plan: on disk and in the Swarm's chaos lock before anything is touched."""

from __future__ import annotations

from swarmctl.chaos.faults.instance_terminate import REPLACE_TIMEOUT_S
from swarmctl.chaos.journal.journal import Undo
from swarmctl.chaos.journal.runs import brief
from swarmctl.chaos.run.context import Context
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.wait import wait_for

READY_TIMEOUT_S = 300.0  # for the nodes to be Ready again
# How long the revert may take beyond the run itself, for the lock's time: the longest is a playbook
# that makes a machine anew, then the nodes have to be Ready.
_SPARE_S = REPLACE_TIMEOUT_S + READY_TIMEOUT_S + 120.0
_RELEASE_TIMEOUT_S = 60.0


def ask_consent(context: Context) -> None:
    """Show what will be done, and let the user call it off.

    Raises:
        InterruptedRunError: the answer is no.
    """
    ask = context.world.consent
    if ask is not None:
        ask([context.fault.describe(target) for target in context.journal.targets])


def store(context: Context) -> None:
    """Store the undo plan. From now on a signal only sets a flag.

    Raises:
        SwarmctlError: it cannot be stored; nothing was touched.
        InterruptedRunError: a signal came.
    """
    log, journal, interrupts = context.log, context.journal, context.world.interrupts
    interrupts.careful()
    interrupts.check()
    log.step("planned", "Undo plan")
    journal.undo = Undo("planned", context.fault.undo_steps(journal.targets))
    seconds = context.hypothesis.within_s + context.duration_s + _SPARE_S
    owner = lock.this_process(f"chaos {journal.id}")
    try:
        log.save()
        context.lock_id = lock.acquire(
            context.world.managers.engine,
            lock.CHAOS,
            seconds,
            owner,
            brief(journal),
            renews=context.world.renewer is not None,
        )
    except SwarmctlError:
        journal.undo = Undo()  # nothing was done and nothing will be
        raise
    if context.world.renewer is not None:
        context.stop_renewing = lock.renewing(context.world.renewer, context.lock_id)
    where = log.runs.directory(journal.id) / "journal.json"
    log.note(f"stored before the fault: {where}, and in the Swarm's chaos lock")


def call_off(context: Context) -> None:
    """Drop the plan and its lock: nothing was touched."""
    context.journal.undo = Undo()
    release(context)


def release(context: Context) -> None:
    """Release the Swarm's chaos lock; the managers may still be electing a leader."""
    if not context.lock_id:
        return
    context.stop_renewing()

    def released() -> tuple[bool | None, str]:
        try:
            lock.release(context.world.managers.engine, context.lock_id)
        except SwarmctlError as fault:
            return None, fault.message
        return True, ""

    try:
        wait_for(
            "the Swarm's chaos lock to be released",
            released,
            timeout=_RELEASE_TIMEOUT_S,
            interval=1.0,
            clock=context.log.clock.now,
            pause=context.log.clock.pause,
        )
    except DeadlineExceededError as fault:
        context.log.note(f"{fault.message}; release it: {lock.CHAOS.unlock}")
