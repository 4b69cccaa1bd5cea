"""Back to how a stack was before: by comparing what is there with what was, never from memory.

So it does not matter at which request a deploy broke off, or whether Swarm has rolled a service
back by itself already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from swarmctl.errors import SwarmctlError
from swarmctl.stack.deploy import converge
from swarmctl.stack.deploy.apply import create, remove_service, update_service, wait_until_gone
from swarmctl.stack.deploy.current import Current, look
from swarmctl.stack.deploy.specs import normal
from swarmctl.swarm.engine import Engine, EngineError, Json
from swarmctl.wait import wait_for

PREVIOUS = {"rollback": "previous"}
_PREVIOUS_AUTH = {"registryAuthFrom": "previous-spec"}

# No update state counts: what matters is that the old version runs.
_NEVER = datetime.max.replace(tzinfo=UTC)

Progress = Callable[[list[converge.Judgement]], None]


@dataclass(frozen=True, slots=True)
class Restoration:
    """What must be done to get back.

    Attributes:
        revert: services with another spec than before.
        recreate: services that are gone.
        remove: services that were not there.
        discard: networks, secrets and configs that were not there: kind → name → id.
    """

    revert: tuple[str, ...] = ()
    recreate: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    discard: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether everything is as it was."""
        services = self.revert or self.recreate or self.remove
        return not services and not any(self.discard.values())

    def lines(self) -> list[str]:
        """What is done, for people."""
        lines = [f"{name}: back to the version before" for name in (*self.revert, *self.recreate)]
        lines += [f"{name}: removed, it was not there before" for name in self.remove]
        for kind, names in self.discard.items():
            lines += [f"{kind.removesuffix('s')} {name}: removed" for name in names]
        return lines


def decide(before: Current, now: Current) -> Restoration:
    """What differs from before. Pure."""
    names = {**before.network_names, **now.network_names}

    def differs(name: str) -> bool:
        old, new = before.services[name]["Spec"], now.services[name]["Spec"]
        return normal(old, names) != normal(new, names)

    return Restoration(
        revert=tuple(n for n in before.services if n in now.services and differs(n)),
        recreate=tuple(n for n in before.services if n not in now.services),
        remove=tuple(n for n in now.services if n not in before.services),
        discard={
            kind: {
                name: entry.get("ID") or entry["Id"]
                for name, entry in now.of(kind).items()
                if name not in before.of(kind)
            }
            for kind in ("configs", "secrets", "networks")
        },
    )


def restore(
    engine: Engine,
    before: Current,
    *,
    timeout: float,
    settle: float = converge.SETTLE,
    progress: Progress = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Restoration:
    """Bring a stack back to how it was, and wait until that runs.

    Args:
        engine: the Swarm.
        before: how it was.
        timeout: seconds for all of it.
        settle: seconds the old version must go on running.
        progress: told how far the services are.
        clock: replaced in tests.
        pause: replaced in tests.

    Returns:
        What was done.

    Raises:
        SwarmctlError: the Engine refuses, or the old version does not run in time.
    """
    deadline = clock() + timeout

    def left() -> float:
        return max(1.0, deadline - clock())

    now = look(engine, before.stack)
    todo = decide(before, now)
    gone = {name: now.services[name]["ID"] for name in todo.remove}
    for service in gone.values():
        remove_service(engine, service)
    for name in todo.revert:
        revert(engine, before.services[name], now.services[name])
    for name in todo.recreate:
        create(engine, "/services/create", before.services[name]["Spec"])
    if before.services:
        converge.wait(
            engine,
            before.stack,
            timeout=left(),
            settle=settle,
            since=_NEVER,
            progress=progress,
            clock=clock,
            pause=pause,
        )
    if gone:
        wait_until_gone(engine, "the new services to end", gone, left(), clock, pause)
    discard(engine, todo.discard, left(), clock, pause)
    return todo


def revert(engine: Engine, before: Json, now: Json) -> None:
    """Give a service its old spec back.

    Where Swarm still has that as the previous one, it is told to roll back: then the pace is that
    of ``rollback_config``, and the old credentials for the registry count again.
    """
    previous = now.get("PreviousSpec")
    if previous and normal(previous) == normal(before["Spec"]):
        update_service(engine, now, now["Spec"], params=PREVIOUS)
    else:
        params = _PREVIOUS_AUTH if previous else {}
        update_service(engine, now, before["Spec"], params=params)


def discard(
    engine: Engine,
    found: Mapping[str, Mapping[str, str]],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Remove networks, secrets and configs; what is still in use is tried until it is not.

    Args:
        engine: the Swarm.
        found: kind → name → id.
        timeout: seconds.
        clock: replaced in tests.
        pause: replaced in tests.

    Raises:
        DeadlineExceededError: something is still in use; the message has Swarm's own words.
    """
    left = {(kind, name): id_ for kind, names in found.items() for name, id_ in names.items()}

    def try_all() -> tuple[bool | None, str]:
        reasons = []
        for (kind, name), id_ in list(left.items()):
            try:
                engine.send("DELETE", f"/{kind}/{id_}", repeat=True)
            except EngineError as fault:
                if fault.status != 404:
                    reasons.append(f"{kind.removesuffix('s')} {name}: {fault.message}")
                    continue
            except SwarmctlError as fault:
                reasons.append(fault.message)
                continue
            del left[kind, name]
        return (None if left else True), "; ".join(reasons)

    wait_for("networks, secrets and configs to be free", try_all, timeout=timeout, interval=0.5,
             clock=clock, pause=pause)  # fmt: skip
