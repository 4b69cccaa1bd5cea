"""Inject the fault into a still healthy Swarm, and record the state the verdict needs."""

from __future__ import annotations

from datetime import timedelta

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import judgement
from swarmctl.chaos.run.judging.judgement import Baseline
from swarmctl.chaos.run.steps import check_guards, undo_plan
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm


def inject(context: Context) -> None:
    """Check all guards once more, then inject the fault.

    Raises:
        RefusedError: a guard refuses now; nothing was touched.
        InterruptedRunError: a signal came; nothing was touched.
        SwarmctlError: no manager answers, or the fault failed.
    """
    log, journal, plan = context.log, context.journal, context.plan
    swarm = context.watch.snapshot()
    try:
        check_guards.repeat(context, swarm)
    except SwarmctlError:
        undo_plan.call_off(context)
        raise
    context.world.interrupts.check()
    log.step("injecting", f"Fault: {plan.fault}")
    context.baseline = _baseline(context, swarm)
    context.watch.observer.ignore_tasks_of(swarm)
    journal.before = judgement.placement(swarm)
    journal.wanted = judgement.wanted(swarm)
    names = ", ".join(target.what for target in journal.targets)
    context.watch.lose(context.baseline.targets)
    log.mark("fault", f"{plan.fault} of {names}")
    context.fault.inject(journal.targets)


def _baseline(context: Context, swarm: Swarm) -> Baseline:
    lost = context.targets.nodes if context.loses_nodes else ()
    engine_clock = context.watch.observer.engine_clock
    return Baseline(
        swarm,
        frozenset(node.id for node in lost),
        engine_clock.origin + timedelta(seconds=context.log.clock.now()),
        killed=frozenset(task.id for task in context.targets.tasks),
        must_be_down=context.kind.effect is Effect.DOWN,
    )
