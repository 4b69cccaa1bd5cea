"""Renew the pull credentials of services, without restarting a task.

Swarm gives a node the credentials that came with the service's last update, also when it starts a
dead node's replica days later; a token of ECR is good for 12 hours (moby#31063). So they are sent
again before that, with the spec as it is. SwarmKit ignores credentials when it compares a running
task with its service (swarmkit manager/orchestrator/task.go, IsTaskDirty), so nothing is restarted.

Every update clears the state of the update before it: services that are being updated, are paused
or roll back are left alone. So are those of which an update would start an ended task again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from swarmctl.errors import SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.reading.names import unknown
from swarmctl.registry import former, renewed
from swarmctl.registry.credentials import Credentials, Keyring
from swarmctl.registry.reference import DOCKER_HUB, host_of
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine, EngineError, Json, delete
from swarmctl.swarm.model import STACK_LABEL

_SPREAD = 0.25  # of the time between two renewals: a stack's services are not renewed all at once
_TRIES = 3
_OUTDATED = "out of sequence"  # SwarmKit's error for a version that is not the current one

_BUSY = {
    "updating": "it is being updated",
    "paused": "its update is paused",
    "rollback_started": "it is being rolled back",
    "rollback_paused": "its rollback is paused",
}
_STUCK = ("paused", "rollback_paused")
_LIVE = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")


class Result(StrEnum):
    """What becomes of a service's credentials."""

    DUE = "due"
    NOT_DUE = "not_due"
    LEFT_ALONE = "left_alone"
    RENEWED = "renewed"
    FAILED = "failed"


_WORDS = {
    Result.DUE: "would be renewed",
    Result.NOT_DUE: "not due",
    Result.LEFT_ALONE: "left alone",
    Result.RENEWED: "renewed",
    Result.FAILED: "not renewed",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A service that needs credentials.

    Attributes:
        id: the service's.
        service: its name.
        host: of its registry.
        result: what is, or was, done.
        age: of its credentials; ``None`` if that is not known.
        ended: whether they have ended, as far as is known.
        due_in: the time until they are due, once they are new.
        detail: why it is left alone, or has failed.
        remedy: what to do then; ``""`` if nothing.
    """

    id: str
    service: str
    host: str
    result: Result
    age: timedelta | None = None
    ended: bool = False
    due_in: timedelta | None = None
    detail: str = ""
    remedy: str = ""

    @property
    def bad(self) -> bool:
        """Whether the service's tasks may not start elsewhere, and nothing here changes that."""
        if self.result == Result.LEFT_ALONE:
            return self.ended and bool(self.remedy)
        return self.result == Result.FAILED

    def line(self) -> str:
        """For a person."""
        old = f"{_shown(self.age)} old" if self.age is not None else "of unknown age"
        if self.ended:
            old += ", ended"
        result = _WORDS[self.result]
        why = f": {self.detail}" if self.detail else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        were = "were" if self.result == Result.RENEWED else "are"
        return f"{self.service}: {result}; credentials for {self.host} {were} {old}{why}{remedy}"


def _shown(age: timedelta) -> str:
    minutes, seconds = divmod(int(age.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


Logins = Mapping[str, Credentials | SwarmctlError]  # by registry; those without are missing


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made from.

    Attributes:
        logins: by registry; an error where none can be had. Registries without are missing.
        now: the time.
        older_than: the age from which credentials are renewed; ``None``: half of their life, and
            a little less, different for each service.
        tasks: of the services that may have ended tasks, by service id.
        deploying: the stacks that are locked by a deploy.
    """

    logins: Logins
    now: datetime
    older_than: timedelta | None = None
    tasks: Mapping[str, Sequence[Json]] | None = None
    deploying: frozenset[str] = frozenset()

    def threshold(self, service_id: str, login: Credentials) -> timedelta:
        """The age from which a service's credentials are renewed."""
        if self.older_than is not None:
            return self.older_than
        number = int.from_bytes(hashlib.sha256(service_id.encode()).digest()[:2], "big") / 0xFFFF
        return self.life(login) / 2 * (1 - _SPREAD * number)

    def life(self, login: Credentials) -> timedelta:
        """How long credentials that were had just now are good."""
        return login.expires_at - self.now if login.expires_at else renewed.LIFE


def plan(services: Iterable[Json], found: Situation) -> list[Item]:
    """What has to be done for each service that needs credentials. Pure.

    Args:
        services: as the Engine gives them.
        found: see there.
    """
    items = (_item(service, found) for service in services)
    return sorted((item for item in items if item), key=lambda item: item.service)


def _item(service: Json, found: Situation) -> Item | None:
    spec = service["Spec"]
    host, name = host_of(renewed.image_of(spec)), str(spec["Name"])
    login, age = found.logins.get(host), renewed.age(spec, found.now)
    # Most images of Docker Hub need no login: nobody's own goes to the nodes unasked.
    if login is None or (host == DOCKER_HUB and age is None):
        return None
    if isinstance(login, SwarmctlError):
        failed = Item(service["ID"], name, host, Result.FAILED, age)
        return replace(failed, detail=login.message, remedy=login.hint)
    ended = age is not None and age >= found.life(login)
    item = Item(service["ID"], name, host, Result.DUE, age, ended)
    threshold = found.threshold(service["ID"], login)
    if age is not None and age < threshold:
        return replace(item, result=Result.NOT_DUE, due_in=threshold - age)
    if why := _left_alone(service, found):
        detail, remedy = why
        return replace(item, result=Result.LEFT_ALONE, detail=detail, remedy=remedy)
    return item


def _left_alone(service: Json, found: Situation) -> tuple[str, str] | None:
    """Why a service must not be updated, and what to do; ``None`` if it may be."""
    spec, state = service["Spec"], (service.get("UpdateStatus") or {}).get("State", "")
    stack = (spec.get("Labels") or {}).get(STACK_LABEL, "")
    if state in _STUCK:
        return _BUSY[state], (
            f"deploy it again, or go back: swarmctl stack rollback {word(stack)} "
            f"{word(spec['Name'])}"
            if stack
            else f"docker service update or rollback {word(spec['Name'])}"
        )
    if state in _BUSY:
        return _BUSY[state], "the next refresh renews it"
    if stack in found.deploying:
        return f"the stack {stack} is being deployed", "the next refresh renews it"
    if any(mode in spec.get("Mode", {}) for mode in ("ReplicatedJob", "GlobalJob")):
        return "it is a job: an update would run it again", ""
    # Once its task has ended, the next leader would see another spec, and start it again.
    if _policy(service).get("Condition") == "none":
        return "condition: none: its tasks are started only once", ""
    if _has_ended((found.tasks or {}).get(service["ID"], ())):
        return "a task of it has ended: an update would start it again", ""
    return None


def may_end(service: Json) -> bool:
    """Whether Swarm may let an ended task of a service be."""
    policy = _policy(service)
    return policy.get("Condition", "any") != "any" or bool(policy.get("MaxAttempts"))


def _policy(service: Json) -> Json:
    return service["Spec"]["TaskTemplate"].get("RestartPolicy") or {}


def _has_ended(tasks: Iterable[Json]) -> bool:
    """Whether a slot has no task left that is to run.

    swarmkit manager/orchestrator/restart/restart.go, UpdatableTasksInSlot
    """
    slots: dict[object, bool] = {}
    for task in tasks:
        slot = task.get("Slot") or task.get("NodeID")
        slots[slot] = slots.get(slot, False) or task.get("DesiredState") in _LIVE
    return not all(slots.values())


def logins(services: Iterable[Json], keyring: Keyring) -> Logins:
    """The credentials for the registries of these services."""
    found: dict[str, Credentials | SwarmctlError] = {}
    for host in sorted({host_of(renewed.image_of(service["Spec"])) for service in services} - {""}):
        try:
            login = keyring.find(host)
        except SwarmctlError as fault:
            found[host] = fault
        else:
            if login:
                found[host] = login
    return found


def refresh(
    engine: Engine,
    names: Sequence[str] = (),
    *,
    older_than: timedelta | None = None,
    dry_run: bool = False,
    keyring: Callable[[], Keyring] = Keyring,
) -> list[Item]:
    """Renew the credentials that are due; errors of one service do not stop the others.

    Several may do this at once: each sees what another has renewed.

    Args:
        engine: the Swarm.
        names: of the services; without any, all.
        older_than: see :class:`Situation`.
        dry_run: change nothing: what is due stays :attr:`Result.DUE`.
        keyring: makes a new one: a token that was had earlier has less life.

    Raises:
        UsageError: there is no such service.
        SwarmctlError: no manager answers.
    """
    configs = engine.get("/configs") or []  # before the services: see former.outdated
    services = _chosen(engine.get("/services") or [], names)
    situation = Situation(logins(services, keyring()), lock.manager_time(engine), older_than)
    situation = replace(
        situation,
        tasks=_tasks(engine, services),
        deploying=lock.deploying(configs, situation.now),
    )
    by_id = {service["ID"]: service for service in services}
    items = plan(services, situation)
    if dry_run:
        return items
    done = [
        _renew(engine, item, by_id[item.id], situation) if item.result == Result.DUE else item
        for item in items
    ]
    if not names:
        for config in former.outdated(configs, services):
            with suppress(SwarmctlError):  # the next refresh finds it again
                delete(engine, f"/configs/{config['ID']}")
    return done


def _chosen(services: list[Json], names: Sequence[str]) -> list[Json]:
    known = {str(service["Spec"]["Name"]) for service in services}
    for name in names:
        if name not in known:
            raise unknown("service", name, known)
    return [service for service in services if not names or service["Spec"]["Name"] in names]


def _tasks(engine: Engine, services: Iterable[Json]) -> dict[str, list[Json]]:
    """The tasks of the services that may have ended ones."""
    found: dict[str, list[Json]] = {s["ID"]: [] for s in services if may_end(s)}
    if found:
        for task in engine.get("/tasks", service=sorted(found)) or ():
            found[task["ServiceID"]].append(task)
    return found


def _renew(engine: Engine, item: Item, service: Json, found: Situation) -> Item:
    """Send a service's credentials again; if another client was faster, judge it anew."""
    now: Item | None = item
    try:
        for _ in range(_TRIES):
            if now is None:
                return replace(item, result=Result.NOT_DUE, detail="it has another image by now")
            if now.result != Result.DUE:
                return now
            if _sent(engine, service, found):
                due_in = found.threshold(service["ID"], _login(service, found))
                return replace(now, result=Result.RENEWED, due_in=due_in)
            service = engine.get(f"/services/{item.id}")
            now = _item(service, found)
    except SwarmctlError as fault:
        return replace(item, result=Result.FAILED, detail=fault.message, remedy=fault.hint)
    again = "run swarmctl registry refresh again"
    return replace(
        item, result=Result.FAILED, detail="other clients keep updating it", remedy=again
    )


def _sent(engine: Engine, service: Json, found: Situation) -> bool:
    """Update a service; ``False`` if another client was faster.

    Raises:
        SwarmctlError: the Engine refuses, or no manager answers.
    """
    if config := former.to_keep(service):
        former.keep(engine, config)
    version = {"version": str(service["Version"]["Index"])}
    spec, auth = renewed.stamped(service["Spec"], found.now), _login(service, found).header()
    try:
        engine.send("POST", f"/services/{service['ID']}/update", spec, params=version, auth=auth)
    except EngineError as fault:
        if _OUTDATED in fault.message:
            return False
        raise
    return True


def _login(service: Json, found: Situation) -> Credentials:
    login = found.logins[host_of(renewed.image_of(service["Spec"]))]
    assert isinstance(login, Credentials)
    return login
