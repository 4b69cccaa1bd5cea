"""Steady state: before the fault, every probed place must answer."""

from __future__ import annotations

from swarmctl.chaos.probes import planned
from swarmctl.chaos.run import guards
from swarmctl.chaos.run.context import Context
from swarmctl.chaos.run.judging import tolerance
from swarmctl.chaos.run.steps.check_guards import refuse
from swarmctl.swarm.observe.host_ports import read_host_ports


def watch(context: Context) -> None:
    """Watch until every probed place has answered.

    Raises:
        RefusedError: one did not.
        UsageError: the hypothesis limits what is not probed.
        InterruptedRunError: a signal came.
    """
    watch, plan = context.watch, context.plan
    seen = watch.newest()
    places = watch.places
    places.remember(read_host_ports(context.world.shell, seen, places.missing_ports(seen)))
    named = planned.names_services(plan.probes) or plan.probe_service is not None
    silent = watch.await_answers(named)
    asked = sum(map(len, watch.probed.values()))
    watch.observer.recorder.await_first()
    context.log.guard(guards.answering(silent, asked, places.without_ports(watch.newest())))
    refuse(context)
    tolerance.require_probes(plan.hypothesis, places.services, places.fixed)
    lost = {node.hostname for node in context.targets.nodes} if context.loses_nodes else set()
    if only := watch.only_on(lost):
        context.log.note(
            f"every replica of {', '.join(only)} is on the targets: "
            "an outage is expected until replacements serve elsewhere"
        )
