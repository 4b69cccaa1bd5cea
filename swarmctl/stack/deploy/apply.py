"""Carry out a plan: one request after the other, nothing that is not in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from swarmctl.errors import SwarmctlError
from swarmctl.stack.deploy import specs
from swarmctl.stack.deploy.current import Current, look
from swarmctl.stack.deploy.images import Credentials
from swarmctl.stack.deploy.plan import CHECK, CREATE, REMOVE, UPDATE, Change, Plan
from swarmctl.swarm.engine import Engine, EngineError, Json
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import wait_for

_SEQUENCE_TRIES = 3
_OUTDATED = "out of sequence"  # SwarmKit's words for another version than the current one
_CONFLICT = 409


def apply(plan: Plan, current: Current, engine: Engine, credentials: Credentials) -> None:
    """Make what the plan asks for; services that are to go stay until :func:`remove_services`.

    Only a service that holds an ingress port which another one is to have goes at once.

    Args:
        plan: what to do.
        current: what it was made from.
        engine: the Swarm.
        credentials: which Swarm keeps for the nodes that pull the images.

    Raises:
        SwarmctlError: the Engine refuses a request; those before it are done.
    """
    for change in plan.of("networks", CREATE):
        _create(engine, change)
    for kind in ("secrets", "configs"):
        for change in plan.of(kind, CHECK):
            _check_secret(engine, change, current)
        for change in plan.of(kind, CREATE):
            _create(engine, change)
    services = plan.of("services", CREATE, UPDATE)
    if not services and not plan.of("services", REMOVE):
        return
    names = _Names(engine, plan.stack)
    for name in in_the_way(plan, current):
        remove_service(engine, current.services[name]["ID"])
    for change in services:
        assert change.spec is not None
        spec = names.filled_in(change.spec)
        image = str(spec["TaskTemplate"]["ContainerSpec"]["Image"])
        if change.action == CREATE:
            _send(engine, "/services/create", spec, change, auth=credentials(image))
        else:
            update_service(engine, current.services[change.name], spec, auth=credentials(image))


def in_the_way(plan: Plan, current: Current) -> list[str]:
    """The services to remove whose ingress ports are wanted by others."""
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
    """The ports a service holds on all nodes."""
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return {
        (port.get("Protocol", "tcp"), port["PublishedPort"])
        for port in ports
        if port.get("PublishMode") != "host" and port.get("PublishedPort")
    }


class _Names:
    """Fills in the ids of secrets and configs, which exist by now."""

    def __init__(self, engine: Engine, stack: str) -> None:
        known = look(engine, stack).known
        self._ids = {
            kind: {name: entry["ID"] for name, entry in known[kind].items()}
            for kind in ("secrets", "configs")
        }

    def filled_in(self, spec: Json) -> Json:
        template = spec["TaskTemplate"]
        container = dict(template["ContainerSpec"])
        for kind, prefix in (("secrets", "Secret"), ("configs", "Config")):
            if container.get(f"{prefix}s"):
                container[f"{prefix}s"] = [
                    {**ref, f"{prefix}ID": self._ids[kind][ref[f"{prefix}Name"]]}
                    for ref in container[f"{prefix}s"]
                ]
        return {**spec, "TaskTemplate": {**template, "ContainerSpec": container}}


def _create(engine: Engine, change: Change) -> None:
    _send(engine, f"/{change.kind}/create", change.spec, change)


def _check_secret(engine: Engine, change: Change, current: Current) -> None:
    """Send a secret's content again: the managers refuse if it is another."""
    there = current.known["secrets"][change.name]
    params = {"version": str(there["Version"]["Index"])}
    try:
        engine.send("POST", f"/secrets/{there['ID']}/update", change.spec, params=params)
    except EngineError as fault:
        if fault.repeated and _OUTDATED in fault.message:
            return  # the first time it was accepted, so it is the same
        raise SwarmctlError(
            f"the secret {change.name} exists with another content, and secrets cannot be changed "
            f"({fault.message})",
            "give it a new name with its content in it: name: {{ file('…') | hashed('"
            + change.name
            + "') }}",
        ) from fault


def _send(engine: Engine, path: str, spec: Json | None, change: Change, auth: str = "") -> None:
    try:
        create(engine, path, spec, auth)
    except EngineError as fault:
        kind = change.kind.removesuffix("s")
        raise SwarmctlError(f"the {kind} {change.name} was refused: {fault.message}") from fault


def create(engine: Engine, path: str, spec: Json | None, auth: str = "") -> None:
    """Make something that has a name; also if an election hid that it is made already.

    Raises:
        EngineError: the Engine refuses, or somebody else has made it.
    """
    try:
        engine.send("POST", path, spec, auth=auth)
    except EngineError as fault:
        if not (fault.repeated and fault.status == _CONFLICT):
            raise


def update_service(
    engine: Engine, there: Json, spec: Json, *, auth: str = "", params: Mapping[str, str] = {}
) -> None:
    """Give a service a new spec, unless somebody else has changed it meanwhile.

    Swarm itself gives a service a new version when an update of it ends; that is no obstacle. Nor
    is it when the service has the new spec already: during an election a first attempt may have
    been carried out without an answer.

    Args:
        engine: the Swarm.
        there: the service as it was seen.
        spec: its new spec.
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


def remove_service(engine: Engine, service: str) -> None:
    """Remove a service by its id. One that is gone already is fine."""
    try:
        engine.send("DELETE", f"/services/{service}", repeat=True)
    except EngineError as fault:
        if fault.status != 404:
            raise


def remove_services(
    engine: Engine,
    services: Mapping[str, str],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Remove services and wait until their tasks on live nodes have ended.

    Args:
        engine: the Swarm.
        services: name → id.
        timeout: seconds to wait for their containers to stop.
        clock: replaced in tests.
        pause: replaced in tests.

    Raises:
        DeadlineExceededError: tasks are still there.
    """
    for service in services.values():
        remove_service(engine, service)
    if services:
        names = ", ".join(services)
        wait_until_gone(engine, f"the tasks of {names} to end", services, timeout, clock, pause)


def wait_until_gone(
    engine: Engine,
    what: str,
    services: Mapping[str, str],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until no task of these (removed) services is left on a live node."""
    ids = {service: name for name, service in services.items()}

    def look_() -> tuple[bool | None, str]:
        try:
            swarm = engine.snapshot()
        except ManagerError as fault:  # an election, for example
            return None, fault.message
        live = {node.id: node.hostname for node in swarm.nodes if node.live}
        left = [
            f"{ids[t.service_id]} on {live[t.node_id]}"
            for t in swarm.tasks
            if t.service_id in ids and t.node_id in live and t.container_id
        ]
        return (None if left else True), f"{len(left)} left: {', '.join(sorted(set(left))[:5])}"

    wait_for(what, look_, timeout=timeout, interval=0.3, clock=clock, pause=pause)
