"""A lock in the Swarm: one process at a time deploys a stack, or runs an experiment.

It is a config object: names are unique, so creating it is atomic, whichever manager is asked. It
names its owner and expires. An expired lock was left by a process that was killed; it is replaced,
unless it holds a plan that must be carried out first. All times are the managers' clock, never this
machine's.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.reading.times import parse_time
from swarmctl.swarm.engine import Engine, EngineError, Json, delete

LABEL = "swarmctl.lock"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lock."""

    user: str
    host: str
    pid: int
    doing: str  # for example "deploy"

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, {self.doing})"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a lock protects.

    Args:
        name: of the config; Swarm allows 64 characters.
        label: the value of the config's label ``swarmctl.lock``.
        what: for messages.
        unlock: the command that removes a lock whose process is gone.
    """

    name: str
    label: str
    what: str
    unlock: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that exists; ``plan`` is what must be undone before it is removed, if anything."""

    id: str
    owner: Owner
    since: datetime
    until: datetime
    plan: Json | None = None

    def active(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return now < self.until


def of_stack(stack: str) -> Subject:
    """The lock of a stack: one deploy at a time."""
    name = f"swarmctl-lock-{stack}"
    if len(name) > 64:
        name = f"{name[:51]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"
    return Subject(name, stack, f"the stack {stack}", f"swarmctl stack unlock {stack}")


# One experiment at a time in a Swarm. No stack's lock has this name.
CHAOS = Subject("swarmctl-chaos-lock", "chaos", "chaos", "swarmctl chaos revert --from-swarm")


def this_process(doing: str) -> Owner:
    """The owner of the locks that this process takes."""
    return Owner(getpass.getuser(), socket.gethostname(), os.getpid(), doing)


def manager_time(engine: Engine) -> datetime:
    """The clock of the manager that answers."""
    return parse_time(engine.get("/info")["SystemTime"])


def find(engine: Engine, subject: Subject) -> Lock | None:
    """The lock, even an expired one; ``None`` when there is none."""
    listed = engine.get("/configs", name=[subject.name])
    entry = next((c for c in listed or () if c["Spec"]["Name"] == subject.name), None)
    return _read(entry) if entry else None


def _read(entry: Json) -> Lock:
    since = parse_time(entry["CreatedAt"])
    try:
        content = json.loads(base64.b64decode(entry["Spec"]["Data"]))
        owner, ttl = Owner(**content["owner"]), float(content["seconds"])
    except (KeyError, TypeError, ValueError) as fault:
        raise SwarmctlError(
            f"the config {entry['Spec']['Name']} is not a lock of this version of swarmctl",
            f"inspect it and remove it, on a manager: docker config rm {entry['Spec']['Name']}",
        ) from fault
    until = since + timedelta(seconds=ttl)
    return Lock(entry["ID"], owner, since, until, content.get("plan"))


@contextmanager
def held(
    engine: Engine,
    subject: Subject,
    seconds: float,
    owner: Owner,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold a lock.

    Args:
        engine: the Swarm.
        subject: which lock.
        seconds: until it expires; longer than the work can last.
        owner: shown to others.
        note: called with a message when the lock could not be released; it then expires.

    Raises:
        RefusedError: another process holds it; the message says which, and until when at most.
    """
    lock_id = acquire(engine, subject, seconds, owner)
    try:
        yield
    finally:
        try:
            release(engine, lock_id)
        except SwarmctlError as fault:
            note(
                f"cannot release the lock of {subject.what}, it expires within "
                f"{seconds:.0f} s: {fault.message}"
            )


def acquire(
    engine: Engine, subject: Subject, seconds: float, owner: Owner, plan: Json | None = None
) -> str:
    """Take a lock and return the id of its config; see :func:`held`.

    Args:
        engine: the Swarm.
        subject: which lock.
        seconds: until it expires.
        owner: shown to others.
        plan: what must be undone before another process may take it, expired or not.
    """
    content: Json = {"owner": asdict(owner), "seconds": seconds}
    if plan is not None:
        content["plan"] = plan
    spec = {
        "Name": subject.name,
        "Labels": {LABEL: subject.label},
        "Data": base64.b64encode(json.dumps(content).encode()).decode(),
    }
    for _ in range(_TRIES):
        try:
            return str(engine.send("POST", "/configs/create", spec)["ID"])
        except EngineError as fault:
            if fault.status != 409:
                raise
            # An election may have hidden that the first attempt was carried out.
            if fault.repeated and (mine := find(engine, subject)) and mine.owner == owner:
                return mine.id
        _remove_if_stale(engine, subject)
    raise RefusedError(
        f"the lock of {subject.what} is contended: gave up after {_TRIES} tries", "try again"
    )


def _remove_if_stale(engine: Engine, subject: Subject) -> None:
    lock = find(engine, subject)
    if lock is None:  # released just now
        return
    now = manager_time(engine)
    if lock.active(now):
        raise RefusedError(
            f"{subject.what} is locked by {lock.owner} since {lock.since:%H:%M:%S} UTC "
            f"({(now - lock.since).total_seconds():.0f} s)",
            f"it expires at {lock.until:%H:%M:%S} UTC; if that process is gone: {subject.unlock}",
        )
    if lock.plan is not None:
        raise RefusedError(
            f"{subject.what} is locked: {lock.owner} left something undone at "
            f"{lock.since:%Y-%m-%d %H:%M:%S} UTC",
            f"undo it first: {subject.unlock}",
        )
    # By its id: if another process has replaced it meanwhile, the new one stays.
    release(engine, lock.id)


def release(engine: Engine, lock_id: str) -> None:
    """Remove a lock. It is no error if it does not exist."""
    delete(engine, f"/configs/{lock_id}")
