"""One replica more of a service, started elsewhere before the others stop; and one fewer again.

A service that runs on the drained nodes only would be down while Swarm moves it. The label
``swarmctl.surge`` says how many replicas it had: it is written in the same request that adds one,
so a run that was killed can be continued, or undone, from the Swarm alone. A deploy overwrites it.

When the nodes are drained, the number is put back at once, while the replacements of the drained
replicas do not run yet: Swarm sorts a service's slots by their place on a node and, in each place,
running ones first, and removes the last (swarmkit manager/orchestrator/replicated/services.go), so
the replica that serves stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from swarmctl.moves.context import Context
from swarmctl.swarm.engine import EngineError, Json, change_service
from swarmctl.swarm.model import Service, Swarm

# Of a service: the replicas that it had before one was added.
SURGE_LABEL = "swarmctl.surge"


def surged(swarm: Swarm) -> tuple[Service, ...]:
    """The services that have one replica too many."""
    return tuple(s for s in swarm.services if SURGE_LABEL in s.labels)


def add_elsewhere(context: Context, services: Iterable[Service], nodes: Collection[str]) -> None:
    """Start one more replica of each, and wait until they serve.

    Args:
        context: the Swarm.
        services: replicated ones.
        nodes: ids of those that are not elsewhere; none of them takes new tasks.

    Raises:
        DeadlineExceededError: one does not serve in time.
    """
    names = [service.name for service in services]
    for service in services:
        if SURGE_LABEL not in service.labels:
            context.note(f"{service.name}: starting one more replica elsewhere")
            change_service(context.engine, service.id, _one_more)

    def serve() -> tuple[bool | None, str]:
        swarm = context.engine.snapshot()
        missing = [name for name in names if not _serves_elsewhere(swarm, name, nodes)]
        return (None if missing else True), f"none yet of {', '.join(missing)}"

    if names:
        context.wait(f"a replica elsewhere of {', '.join(names)}", serve, context.timeout)


def put_back(context: Context) -> tuple[str, ...]:
    """Give every service the number of replicas that it had; returns their names."""
    services = surged(context.engine.snapshot())
    for service in services:
        try:
            change_service(context.engine, service.id, _as_before)
        except EngineError as fault:
            if fault.status != 404:  # removed meanwhile
                raise
        context.note(f"{service.name}: as many replicas as before")
    return tuple(service.name for service in services)


def _serves_elsewhere(swarm: Swarm, name: str, nodes: Collection[str]) -> bool:
    service = swarm.service_by_name(name)
    return service is None or any(t.node_id not in nodes for t in swarm.serving(service))


def _one_more(spec: Json) -> Json:
    labels = spec.get("Labels") or {}
    if SURGE_LABEL in labels or "Replicated" not in spec["Mode"]:
        return spec
    now = int(spec["Mode"]["Replicated"].get("Replicas", 1))
    return _with(spec, now + 1, {**labels, SURGE_LABEL: str(now)})


def _as_before(spec: Json) -> Json:
    labels = dict(spec.get("Labels") or {})
    before = labels.pop(SURGE_LABEL, None)
    if before is None:
        return spec
    now = int(spec["Mode"]["Replicated"].get("Replicas", 1))
    # Another number than ours is another client's wish.
    ours = before.isdecimal() and now == int(before) + 1
    return _with(spec, int(before) if ours else now, labels)


def _with(spec: Json, replicas: int, labels: Json) -> Json:
    mode = {"Replicated": {**spec["Mode"]["Replicated"], "Replicas": replicas}}
    return {**spec, "Mode": mode, "Labels": labels}
