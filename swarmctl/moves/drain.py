"""Drain nodes without losing a request, and activate them again.

Each step can be repeated: a run that was stopped anywhere goes on when the command is given again,
and :func:`activate` undoes what was done.

1. The nodes take no new tasks (availability ``pause``).
2. Services that run there only get one more replica elsewhere; clients get to know it.
3. The label ``swarmctl.draining`` takes the nodes' endpoints out of the catalogue; one pass of the
   publishers, whether an agent runs or not; the draining time is waited out.
4. Availability ``drain``: Swarm stops the tasks, which no client uses any more, and starts others.
5. Every replica serves elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from swarmctl.discovery.leaving import DRAINING_LABEL, is_draining
from swarmctl.errors import RefusedError
from swarmctl.moves import surge
from swarmctl.moves.context import Context
from swarmctl.moves.earlier import forgotten, remember
from swarmctl.moves.plan import DrainPlan
from swarmctl.moves.withdraw import announce, withdraw
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Json, change_node
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.node import Node


@dataclass(frozen=True, slots=True)
class Drained:
    """What was done.

    Attributes:
        plan: before.
        waited: seconds for clients.
        left: tasks that still run on the nodes.
        missing: replicas that do not serve, by service.
    """

    plan: DrainPlan
    waited: float
    left: int
    missing: Mapping[str, int]


def drain(
    plan: DrainPlan, context: Context, *, wait: bool = True, noted: Iterable[Node] = ()
) -> Drained:
    """Carry out a plan.

    Args:
        plan: see :func:`swarmctl.moves.plan.plan_drain`.
        context: the Swarm, publishers, output.
        wait: whether to wait until every replica serves elsewhere.
        noted: nodes whose availability is noted first: see :mod:`swarmctl.moves.earlier`.

    Raises:
        RefusedError: an experiment or another move is under way.
        DeadlineExceededError: a replica did not start elsewhere in time; nothing was stopped, or
            (at the end) the nodes are drained.
        SwarmctlError: a publisher could not withdraw the endpoints; nothing was stopped.
    """
    with locked(context, "drain"):
        remember(noted, context)
        return _drain(plan, context, wait)


def locked(context: Context, doing: str) -> AbstractContextManager[None]:
    """No experiment and no other move meanwhile; a killed process does not hold it long."""
    owner = lock.this_process(doing)
    engine, note, renewer = context.engine, context.note, context.renewer
    return lock.held(engine, lock.CHAOS, lock.LIVE_S, owner, note, renewer=renewer)


def _drain(plan: DrainPlan, context: Context, wait: bool) -> Drained:
    ids = {node.id for node in plan.nodes}
    for node in plan.nodes:
        if node.availability == "active":
            context.note(f"{node.name}: takes no new tasks")
            _set(context, node, availability="pause")
    if first := _first_elsewhere(plan, context.engine.snapshot(), ids):
        surge.add_elsewhere(context, first, ids)
        names, there = {service.name for service in first}, {node.name for node in plan.nodes}
        announce(context, lambda e: e.service in names and e.node not in there)
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    for node in plan.nodes:
        if not is_draining(node):
            _set(context, node, since=since)
    waited = withdraw(context)
    context.interrupts.check()
    for node in plan.nodes:
        if _set(context, node, availability="drain"):
            context.note(f"{node.name}: drained; its tasks move")
    surge.put_back(context)
    if wait:
        _await_elsewhere(context, plan, ids)
    after = context.engine.snapshot()
    return Drained(plan, waited, _left(after, ids), _missing(after))


def _first_elsewhere(plan: DrainPlan, swarm: Swarm, ids: Collection[str]) -> list[Service]:
    """The services that must serve elsewhere before their replicas here stop.

    Those of the plan, and those to which a run that was stopped gave one replica more: clients may
    not be sent there yet.
    """
    return [
        service
        for service in swarm.services
        if service.name in plan.first_elsewhere
        or (
            surge.SURGE_LABEL in service.labels
            and any(task.node_id in ids for task in swarm.serving(service))
        )
    ]


def _await_elsewhere(context: Context, plan: DrainPlan, ids: set[str]) -> None:
    """Wait until no task is on the nodes, and no more replicas are missing than must be."""
    expected = {name: most for name, (_, most) in plan.prediction.pending().items()}
    expected |= {name: gone.count for name, gone in plan.prediction.loss.gone.items()}

    def elsewhere() -> tuple[bool | None, str]:
        swarm = context.engine.snapshot()
        seen = [
            f"{count} replicas of {name} do not serve"
            for name, count in _missing(swarm).items()
            if count > expected.get(name, 0)
        ]
        if left := _left(swarm, ids):
            seen.append(f"{left} tasks have not stopped")
        return (None if seen else True), ", ".join(seen)

    context.wait("every replica to serve elsewhere", elsewhere, context.timeout)


def _left(swarm: Swarm, ids: Collection[str]) -> int:
    """The tasks that run on these nodes; of one that is down, nothing is known."""
    live = {node.id for node in swarm.nodes if node.id in ids and node.live}
    return sum(t.node_id in live and t.state == "running" for t in swarm.tasks)


def _missing(swarm: Swarm) -> dict[str, int]:
    """Replicas that do not serve, by service; jobs are ignored: they end."""
    found = {s.name: swarm.missing(s) for s in swarm.services if not s.is_job}
    return {name: count for name, count in found.items() if count}


def activate(
    nodes: Sequence[Node], context: Context, *, as_before: bool = False
) -> tuple[str, ...]:
    """Make nodes active again, and undo what a drain that was stopped left behind.

    Args:
        nodes: any.
        context: the Swarm, publishers.
        as_before: give each the availability that :mod:`swarmctl.moves.earlier` remembers; one of
            which nothing is remembered stays as it is.

    Returns:
        The names of the nodes that were changed.
    """
    with locked(context, "activate"):
        change = partial(forgotten, given_back=as_before)
        changed = tuple(n.name for n in nodes if change_node(context.engine, n.id, change))
        if not any(is_draining(n) for n in context.engine.snapshot().nodes):
            surge.put_back(context)
        for publisher in context.publishers:
            publisher.publish(context.swarm())
        return changed


def _set(context: Context, node: Node, *, availability: str = "", since: str = "") -> bool:
    """Change a node's availability, or write its label; whether anything was changed."""

    def change(spec: Json) -> Json:
        before = spec.get("Labels") or {}
        labels = dict(before)
        if since:
            labels.setdefault(DRAINING_LABEL, since)
        wanted = {**spec, "Labels": labels, "Availability": availability or spec["Availability"]}
        same = labels == before and wanted["Availability"] == spec["Availability"]
        return spec if same else wanted

    return change_node(context.engine, node.id, change)


def refuse_if_objected(plan: DrainPlan, *, force: bool) -> None:
    """Refuse a plan that would lose something.

    Raises:
        RefusedError: it would, and ``force`` was not given.
    """
    if plan.objections and not force:
        raise RefusedError(
            "draining would lose something: " + "; ".join(plan.objections),
            "mend that, or pass --force",
        )
