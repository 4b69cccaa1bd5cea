"""Carry out a deploy plan, one request after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarmctl.errors import SwarmctlError
from swarmctl.registry import renewed
from swarmctl.stack.deploy import specs
from swarmctl.stack.deploy.current import CurrentStack, read_current
from swarmctl.stack.deploy.images import Credentials
from swarmctl.stack.deploy.plan import CHECK, CREATE, REMOVE, UPDATE, Change, DeployPlan
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine, EngineError, Json, delete
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import CLOCK, Clock, wait_for

_SEQUENCE_TRIES = 3
_OUTDATED = "out of sequence"  # SwarmKit's error for a version that is not the current one
_CONFLICT = 409


def apply(
    plan: DeployPlan, current: CurrentStack, engine: Engine, credentials: Credentials
) -> None:
    """Create and update what the plan names. :func:`remove_services` removes old services later.

    An old service is removed here only if another service needs its ingress port.

    Args:
        plan: what to change.
        current: the stack that the plan was made from.
        engine: the Swarm.
        credentials: of the registries; Swarm keeps them for the nodes that pull the images.

    Raises:
        SwarmctlError: the Engine refuses a request; the requests before it have been carried out.
    """
    services = plan.of("services", CREATE, UPDATE)
    # Before anything is changed: a registry may give none.
    auths = {c.name: credentials(renewed.image_of(c.spec or {})) for c in services}
    for change in plan.of("networks", CREATE):
        _create(engine, change, change.spec)
    for kind in ("secrets", "configs"):
        for change in plan.of(kind, CHECK):
            _check_secret(engine, change, current)
        for change in plan.of(kind, CREATE):
            _create(engine, change, change.spec)
    if not services and not plan.of("services", REMOVE):
        return
    known = read_current(engine, plan.stack).known  # again: now with the new secrets and configs
    for name in port_holders_to_remove(plan, current):
        delete(engine, f"/services/{current.services[name]['ID']}")
    for change in services:
        there = current.services.get(change.name)
        _apply_service(engine, change, there, known, auths[change.name])


def _apply_service(
    engine: Engine,
    change: Change,
    there: Json | None,
    known: Mapping[str, Mapping[str, Json]],
    auth: str,
) -> None:
    assert change.spec is not None
    spec = _with_ids(change.spec, known)
    if auth:
        spec = renewed.stamped(spec, lock.manager_time(engine))
    elif there:  # Swarm keeps the credentials that the service has
        spec = renewed.carried(spec, there["Spec"])
    if there:
        update_service(engine, there, spec, auth=auth)
    else:
        _create(engine, change, spec, auth)


def port_holders_to_remove(plan: DeployPlan, current: CurrentStack) -> list[str]:
    """The services to remove whose ingress ports other services need."""
    wanted = {
        port
        for change in plan.of("services", CREATE, UPDATE)
        for port in ingress_ports(change.spec or {})
    }
    return [
        change.name
        for change in plan.of("services", REMOVE)
        if wanted & ingress_ports(current.services[change.name]["Spec"])
    ]


def ingress_ports(spec: Mapping[str, Any]) -> set[tuple[str, int]]:
    """The ports that a service publishes through the routing mesh."""
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return {
        (port.get("Protocol", "tcp"), port["PublishedPort"])
        for port in ports
        if port.get("PublishMode") != "host" and port.get("PublishedPort")
    }


def _with_ids(spec: Json, known: Mapping[str, Mapping[str, Json]]) -> Json:
    """The spec with the ids of its secrets and configs filled in."""
    template = spec["TaskTemplate"]
    container = dict(template["ContainerSpec"])
    for kind, prefix in (("secrets", "Secret"), ("configs", "Config")):
        if container.get(f"{prefix}s"):
            container[f"{prefix}s"] = [
                {**ref, f"{prefix}ID": known[kind][ref[f"{prefix}Name"]]["ID"]}
                for ref in container[f"{prefix}s"]
            ]
    return {**spec, "TaskTemplate": {**template, "ContainerSpec": container}}


def _check_secret(engine: Engine, change: Change, current: CurrentStack) -> None:
    """Send a secret's content again: the managers refuse if it differs."""
    there = current.known["secrets"][change.name]
    params = {"version": str(there["Version"]["Index"])}
    try:
        engine.send("POST", f"/secrets/{there['ID']}/update", change.spec, params=params)
    except EngineError as fault:
        if fault.repeated and _OUTDATED in fault.message:
            return  # the first attempt was accepted, so the content is the same
        raise SwarmctlError(
            f"the secret {change.name} exists with other content, and secrets cannot be changed "
            f"({fault.message})",
            specs.hashed_name_hint(change.name),
        ) from fault


def _create(engine: Engine, change: Change, spec: Json | None, auth: str = "") -> None:
    try:
        create(engine, f"/{change.kind}/create", spec, auth)
    except EngineError as fault:
        kind = change.kind.removesuffix("s")
        raise SwarmctlError(f"the {kind} {change.name} was refused: {fault.message}") from fault


def create(engine: Engine, path: str, spec: Json | None, auth: str = "") -> None:
    """Create a named object. After an election, it may exist already from the first attempt.

    Raises:
        EngineError: the Engine refuses, or another client has created it.
    """
    try:
        engine.send("POST", path, spec, auth=auth)
    except EngineError as fault:
        if not (fault.repeated and fault.status == _CONFLICT):
            raise


def update_service(
    engine: Engine, there: Json, spec: Json, *, auth: str = "", params: Mapping[str, str] = {}
) -> None:
    """Give a service a new spec, unless another client has changed it meanwhile.

    If only the version has changed (Swarm raises it at the end of an update), the request is sent
    again. A service that has the new spec already is accepted: during an election, the first
    attempt may have been carried out without an answer.

    Args:
        engine: the Swarm.
        there: the service as last read.
        spec: the new spec.
        auth: the header X-Registry-Auth.
        params: for example ``{"rollback": "previous"}``.
    """
    path, seen = f"/services/{there['ID']}", there
    wanted = there.get("PreviousSpec") if params.get("rollback") else spec
    for attempt in range(_SEQUENCE_TRIES):
        version = {"version": str(seen["Version"]["Index"])}
        try:
            engine.send("POST", f"{path}/update", spec, params={**version, **params}, auth=auth)
        except EngineError as fault:
            seen = engine.get(path)
            if _OUTDATED in fault.message:
                if fault.repeated and _same(engine, seen["Spec"], wanted or {}):
                    return
                if _same(engine, seen["Spec"], there["Spec"]) and attempt + 1 < _SEQUENCE_TRIES:
                    continue
            name = spec["Name"]
            raise SwarmctlError(f"the service {name} was refused: {fault.message}") from fault
        else:
            return


def _same(engine: Engine, one: Json, other: Json) -> bool:
    networks = {n["Id"]: n["Name"] for n in engine.get("/networks", scope=["swarm"]) or ()}
    return specs.normal(one, networks) == specs.normal(other, networks)


def remove_services(
    engine: Engine, services: Mapping[str, str], timeout: float, clock: Clock = CLOCK
) -> None:
    """Remove services (name → id) and wait until their tasks on live nodes have ended.

    Raises:
        DeadlineExceededError: some tasks still run after ``timeout`` seconds.
    """
    for service in services.values():
        delete(engine, f"/services/{service}")
    if services:
        names = ", ".join(services)
        wait_until_gone(engine, f"the tasks of {names} to end", services, timeout, clock)


def wait_until_gone(
    engine: Engine, what: str, services: Mapping[str, str], timeout: float, clock: Clock = CLOCK
) -> None:
    """Wait until no task of these removed services (name → id) is left on a live node."""
    names = {service: name for name, service in services.items()}

    def all_gone() -> tuple[bool | None, str]:
        try:
            swarm = engine.snapshot()
        except ManagerError as fault:  # an election, for example
            return None, fault.message
        live = {node.id: node.hostname for node in swarm.nodes if node.live}
        left = [
            f"{names[t.service_id]} on {live[t.node_id]}"
            for t in swarm.tasks
            if t.service_id in names and t.node_id in live and t.container_id
        ]
        return (None if left else True), f"{len(left)} left: {', '.join(sorted(set(left))[:5])}"

    wait_for(what, all_gone, timeout=timeout, interval=0.3, clock=clock.now, pause=clock.pause)
