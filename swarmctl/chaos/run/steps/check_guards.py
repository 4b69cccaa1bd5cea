"""Leftovers and guards: every guard reports, also after one that refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal.journal import GuardRecord
from swarmctl.chaos.plan.limits import Guard
from swarmctl.chaos.run import guards
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.steps import baseline
from swarmctl.chaos.world.protocols import Managers
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Swarm, Task


def leftovers(context: Context) -> None:
    """Refuse at once while an earlier run in the runs directory is not undone.

    Raises:
        RefusedError: names the run and the command that reverts it.
    """
    context.log.guard(guards.nothing_pending(context.log.runs.pending()))
    refuse(context)


def report(context: Context) -> None:
    """Store and show the result of every guard that this fault needs."""
    log = context.log
    log.step("guards", "Guards")
    log.guard(_no_other_experiment(context.world.managers))
    for guard in _all(context, context.watch.newest()):
        log.guard(guard)


def repeat(context: Context, swarm: Swarm) -> None:
    """Check every guard again: a node may have been protected, or a manager lost, meanwhile.

    Args:
        context: the run; this experiment has the Swarm's chaos lock.
        swarm: the last snapshot before the fault.

    Raises:
        RefusedError: a guard refuses now that did not before; nothing was touched.
        SwarmctlError: EC2 or the managers do not answer.
    """
    log, machines = context.log, context.world.ec2.instances(context.cluster)
    context.targets = context.targets.renewed(swarm, guards.by_name(machines))
    baseline.predict(context)
    refused = {guard.name for guard in context.journal.guards if not guard.ok}
    for guard in _all(context, swarm):
        if not guard.ok and guard.name not in refused:
            log.guard(guard)
    if against := context.journal.refusals:
        changed = "; ".join(f"guard {guard.name} ({guard.detail})" for guard in against)
        raise RefusedError(
            f"the Swarm changed before the fault: {changed}; nothing was touched",
            "; ".join(dict.fromkeys(guard.remedy for guard in against if guard.remedy)),
        )


def refuse(context: Context) -> None:
    """End the run if a guard refused and is not overridden.

    Raises:
        RefusedError: names every guard that refused, why, and what to do about it.
    """
    against = context.journal.refusals
    if against:
        # Each guard's own line has been printed by now; the error names them once more.
        raise RefusedError(
            "refused by "
            + ", ".join(f"guard {guard.name} ({guard.detail})" for guard in against)
            + "; nothing was touched",
            "; ".join(dict.fromkeys(guard.remedy for guard in against if guard.remedy)),
        )


def _no_other_experiment(managers: Managers) -> GuardRecord:
    try:
        return guards.no_other(lock.find(managers.engine, lock.CHAOS), managers.now())
    except SwarmctlError as fault:
        return GuardRecord(Guard.NO_OTHER_EXPERIMENT, False, fault.message, fault.hint)


def _all(context: Context, swarm: Swarm) -> Iterator[GuardRecord]:
    yield from _about_the_swarm(context, swarm)
    yield guards.in_window(context.plan.limits.window, datetime.now(UTC))
    changed = guards.changed_targets(context.journal.targets, context.targets.records(swarm))
    yield guards.possible(changed or context.fault.refusal(context.journal.targets))


def _about_the_swarm(context: Context, swarm: Swarm) -> Iterator[GuardRecord]:
    kind, chosen, selection = context.kind, context.targets, context.plan.selection
    yield guards.healthy(swarm)
    if kind.may_end_votes:
        yield guards.quorum(swarm, chosen.nodes)
        yield guards.leader(chosen.nodes, asked=selection.leader or not selection.drawn)
    yield _blast_radius(context, swarm)
    if kind.effect in (Effect.DOWN, Effect.RETURNS, Effect.DRAINED):
        yield guards.capacity(context.prediction)
    yield guards.owned(context.cluster, chosen.nodes, chosen.machines)
    if kind.stops:
        yield guards.stoppable(chosen.nodes, chosen.machines)
    yield guards.unprotected(swarm, chosen.nodes, _stopped(context, swarm))


def _blast_radius(context: Context, swarm: Swarm) -> GuardRecord:
    chosen, limits = context.targets, context.plan.limits
    size = (limits.max_nodes, limits.max_percent)
    if context.kind.effect is not Effect.TASKS:
        return guards.blast_radius(len(chosen.nodes), len(swarm.nodes), "nodes", *size)
    (service,) = (s for s in swarm.services if s.name == context.plan.selection.service)
    serving = len(swarm.serving(service))
    return guards.blast_radius(len(chosen.tasks), serving, f"tasks of {service.name}", *size)


def _stopped(context: Context, swarm: Swarm) -> tuple[Task, ...]:
    """The tasks that the fault would end: those of a node that goes away, or single ones."""
    if context.kind.effect is Effect.TASKS:
        return context.targets.tasks
    if context.kind.effect is Effect.STAYS:
        return ()
    nodes = {node.id for node in context.targets.nodes}
    return tuple(task for task in swarm.tasks if task.node_id in nodes and task.occupies)
