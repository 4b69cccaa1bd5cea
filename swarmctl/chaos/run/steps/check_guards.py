"""Leftovers and guards: every guard reports, also after one that refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.journal.journal import GuardRecord
from swarmctl.chaos.plan.limits import Guard
from swarmctl.chaos.run import guards
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.world.protocols import Managers
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.model import Service, Swarm


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
    for guard in _about_the_swarm(context, context.watch.newest()):
        log.guard(guard)
    log.guard(guards.in_window(context.plan.limits.window, datetime.now(UTC)))
    log.guard(guards.possible(context.fault.refusal(context.journal.targets)))


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


def _about_the_swarm(context: Context, swarm: Swarm) -> Iterator[GuardRecord]:
    kind, chosen, selection = context.kind, context.targets, context.plan.selection
    yield guards.healthy(swarm)
    if kind.effect in (Effect.DOWN, Effect.RETURNS):
        yield guards.quorum(swarm, chosen.nodes)
        yield guards.leader(chosen.nodes, asked=selection.leader or not selection.drawn)
    yield _blast_radius(context, swarm)
    if kind.effect in (Effect.DOWN, Effect.RETURNS, Effect.DRAINED):
        yield guards.capacity(context.prediction)
    yield guards.owned(context.cluster, chosen.nodes, chosen.machines)
    if kind.stops:
        yield guards.stoppable(chosen.nodes, chosen.machines)
    yield guards.unprotected(chosen.nodes, _services_hit(context, swarm))


def _blast_radius(context: Context, swarm: Swarm) -> GuardRecord:
    chosen, limits = context.targets, context.plan.limits
    size = (limits.max_nodes, limits.max_percent)
    if not chosen.tasks:
        return guards.blast_radius(len(chosen.nodes), len(swarm.nodes), "nodes", *size)
    (service,) = _services_hit(context, swarm)
    serving = len(swarm.serving(service))
    return guards.blast_radius(len(chosen.tasks), serving, f"tasks of {service.name}", *size)


def _services_hit(context: Context, swarm: Swarm) -> tuple[Service, ...]:
    ids = {task.service_id for task in context.targets.tasks}
    return tuple(service for service in swarm.services if service.id in ids)
