"""Bring a stack back to its state before a deploy.

The steps come from comparing the current stack with the one before, not from a record of requests:
so it does not matter where a deploy failed, or whether Swarm has already rolled a service back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from swarmctl.errors import SwarmctlError
from swarmctl.stack.deploy import converge
from swarmctl.stack.deploy.apply import create, update_service, wait_until_gone
from swarmctl.stack.deploy.current import CurrentStack, read_current
from swarmctl.stack.deploy.specs import normal
from swarmctl.swarm.engine import Engine, EngineError, Json, delete
from swarmctl.wait import CLOCK, Clock, wait_for

# Ignore every failed update: all that matters is that the old version runs.
_IGNORE_UPDATES = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What must be done to restore a stack.

    Attributes:
        revert: services whose spec has changed.
        recreate: services that are gone.
        remove: services that did not exist before.
        objects: networks, secrets and configs that did not exist before: kind → name → id.
    """

    revert: tuple[str, ...] = ()
    recreate: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The plan as text; empty when nothing has to be done."""
        lines = [f"{name}: back to the previous version" for name in (*self.revert, *self.recreate)]
        lines += [f"{name}: removed, it did not exist before" for name in self.remove]
        for kind, names in self.objects.items():
            lines += [f"{kind.removesuffix('s')} {name}: removed" for name in names]
        return lines


def plan_rollback(before: CurrentStack, now: CurrentStack) -> RollbackPlan:
    """Compare a stack with its state before. Pure."""
    names = {**before.network_names, **now.network_names}

    def differs(name: str) -> bool:
        old, new = before.services[name]["Spec"], now.services[name]["Spec"]
        return normal(old, names) != normal(new, names)

    return RollbackPlan(
        revert=tuple(n for n in before.services if n in now.services and differs(n)),
        recreate=tuple(n for n in before.services if n not in now.services),
        remove=tuple(n for n in now.services if n not in before.services),
        objects={
            kind: {n: id_ for n, id_ in now.ids(kind).items() if n not in before.of(kind)}
            for kind in ("configs", "secrets", "networks")
        },
    )


def roll_back(
    engine: Engine,
    before: CurrentStack,
    *,
    timeout: float,
    settle: float = converge.SETTLE,
    progress: converge.Progress = lambda _: None,
    clock: Clock = CLOCK,
) -> RollbackPlan:
    """Restore a stack and wait until the old version runs; returns what was done.

    Args:
        engine: the Swarm.
        before: the stack before the deploy.
        timeout: seconds for everything.
        settle: seconds the old version must keep running.
        progress: shows how far the services are.
        clock: replaced in tests.

    Raises:
        SwarmctlError: the Engine refuses a request, or the old version does not run in time.
    """
    deadline = clock.now() + timeout

    def left() -> float:
        return max(1.0, deadline - clock.now())

    now = read_current(engine, before.stack)
    plan = plan_rollback(before, now)
    removed = {name: now.services[name]["ID"] for name in plan.remove}
    for service in removed.values():
        delete(engine, f"/services/{service}")
    for name in plan.revert:
        revert_service(engine, before.services[name], now.services[name])
    for name in plan.recreate:
        create(engine, "/services/create", before.services[name]["Spec"])
    if before.services:
        converge.wait(
            engine.snapshot,
            before.stack,
            timeout=left(),
            settle=settle,
            since=_IGNORE_UPDATES,
            progress=progress,
            clock=clock,
        )
    if removed:
        wait_until_gone(engine, "the new services to end", removed, left(), clock)
    remove_objects(engine, plan.objects, left(), clock)
    return plan


def revert_service(engine: Engine, before: Json, now: Json) -> None:
    """Give a service its old spec back.

    If Swarm still has it as the previous spec, Swarm rolls back by itself: it follows the service's
    ``rollback_config`` and uses the old registry credentials.
    """
    previous = now.get("PreviousSpec")
    if previous and normal(previous) == normal(before["Spec"]):
        update_service(engine, now, now["Spec"], params={"rollback": "previous"})
    else:
        params = {"registryAuthFrom": "previous-spec"} if previous else {}
        update_service(engine, now, before["Spec"], params=params)


def remove_objects(
    engine: Engine,
    objects: Mapping[str, Mapping[str, str]],
    timeout: float,
    clock: Clock = CLOCK,
) -> None:
    """Remove networks, secrets and configs (kind → name → id); retry while they are in use.

    Raises:
        DeadlineExceededError: something is still in use after ``timeout`` seconds; the message has
            the Engine's reason.
    """
    left = {(kind, name): id_ for kind, names in objects.items() for name, id_ in names.items()}

    def try_all() -> tuple[bool | None, str]:
        reasons = []
        for (kind, name), id_ in list(left.items()):
            try:
                delete(engine, f"/{kind}/{id_}")
            except EngineError as fault:
                reasons.append(f"{kind.removesuffix('s')} {name}: {fault.message}")
            except SwarmctlError as fault:
                reasons.append(fault.message)
            else:
                del left[kind, name]
        return (None if left else True), "; ".join(reasons)

    what = "networks, secrets and configs to be free"
    wait_for(what, try_all, timeout=timeout, interval=0.5, clock=clock.now, pause=clock.pause)
