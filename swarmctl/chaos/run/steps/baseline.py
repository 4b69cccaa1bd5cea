"""Baseline: what EC2 and the managers know, the targets, and the prediction for their loss."""

from __future__ import annotations

from collections.abc import Sequence

from swarmctl.chaos.fault import targets
from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.probes import planned
from swarmctl.chaos.probes.published import ServiceEndpoints, probed_services
from swarmctl.chaos.run import guards
from swarmctl.chaos.run.context import Context, Targets
from swarmctl.chaos.run.judging import judgement, tolerance
from swarmctl.chaos.world.protocols import Machine
from swarmctl.prediction.record import record
from swarmctl.swarm.model import Swarm


def take(context: Context) -> None:
    """Take the first snapshot and choose the targets.

    Raises:
        UsageError: the selection or the hypothesis does not fit this Swarm.
        SwarmctlError: EC2 or the managers do not answer.
    """
    log, world, journal, plan = context.log, context.world, context.journal, context.plan
    log.step("baseline", f"Baseline of {context.cluster}")
    if log.stored:  # no rehearsal
        context.watch.observer.recorder.start()
    swarm = world.managers.snapshot()
    machines = world.ec2.instances(context.cluster)
    context.targets = choose(swarm, context.kind, plan.selection, machines)
    places = context.watch.places = _places(context, swarm)
    tolerance.require_probes(plan.hypothesis, places.services, places.fixed)
    context.hypothesis = plan.hypothesis.resolved(judgement.wanted(swarm))
    journal.hypothesis = str(context.hypothesis)
    journal.targets = context.targets.records(swarm)
    journal.not_judged = judgement.not_judged(swarm)
    journal.engine_versions = {n.hostname: n.engine_version for n in swarm.nodes}
    names = ", ".join(f"{t.what} ({t.instance_id or '?'})" for t in journal.targets)
    drawn = f", drawn with --seed {plan.selection.seed}" if plan.selection.drawn else ""
    log.note(f"target: {names}{drawn}")
    if context.kind.effect is not Effect.TASKS:
        # No later question may hang on a machine that is about to go away.
        world.managers.avoid(context.targets.addresses())
    context.watch.observer.set_clock()
    context.watch.observer.snapshot()


def predict(context: Context) -> None:
    """Store where every lost replica will go, by SwarmKit's own rules; not if none is lost."""
    if context.loses_nodes:
        lost = [node.id for node in context.targets.nodes]
        context.prediction = context.world.managers.predict(lost)
        if context.prediction is not None:
            context.journal.prediction = record(context.prediction)


def choose(swarm: Swarm, kind: Kind, selection: Selection, machines: Sequence[Machine]) -> Targets:
    """Choose the targets.

    Raises:
        UsageError: see :func:`swarmctl.chaos.fault.targets.choose`.
    """
    named = guards.by_name(machines)
    if kind.effect is not Effect.TASKS:
        return Targets(targets.choose(swarm, selection), (), named)
    tasks = targets.choose_tasks(swarm, selection)
    hit = {task.node_id for task in tasks}
    return Targets(tuple(node for node in swarm.nodes if node.id in hit), tasks, named)


def _places(context: Context, swarm: Swarm) -> ServiceEndpoints:
    plan, chosen = context.plan, context.targets
    services = probed_services(swarm, plan.probe_service, plan.probes, plan.balanced)
    every = probed_services(swarm, plan.probe_service, plan.probes)
    if closed := sorted({s.name for s in every} - {s.name for s in services}):
        why = "not probed on the nodes, only the load balancer reaches them there"
        context.log.note(f"{why}: {', '.join(closed)}")
    return ServiceEndpoints(
        services=services,
        machines={name: found[0] for name, found in chosen.machines.items()},
        planned=planned.by_service(plan.probes),
        fixed=planned.fixed_endpoints(plan.probes),
    )
