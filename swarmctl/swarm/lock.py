"""A lock in the Swarm: two people do not deploy one stack, or run two experiments, at one time.

It is a config object: names are unique, so making it is atomic, whichever manager is asked. It says
who holds it, and for how long at most. A lock whose time is over was left by a process that was
killed; it is replaced, unless it holds a plan that must be carried out first. All times are the
managers' clock, never this machine's.
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
    """Who holds a lock."""

    user: str
    host: str
    pid: int
    doing: str  # for example "deploy"

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, {self.doing})"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a lock keeps to one process.

    Args:
        name: of the config; Swarm allows 64 characters.
        label: the value of the config's label ``swarmctl.lock``.
        what: for messages.
        unlock: the command that takes a lock away whose process is gone.
    """

    name: str
    label: str
    what: str
    unlock: str


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is there. ``plan`` is what must be undone before it may go, if anything."""

    id: str
    owner: Owner
    since: datetime
    until: datetime
    plan: Json | None = None

    def held(self, now: datetime) -> bool:
        """Whether its time is not over."""
        return now < self.until


def of_stack(stack: str) -> Subject:
    """The lock of a stack: one deploy at a time."""
    name = f"swarmctl-lock-{stack}"
    if len(name) > 64:
        name = f"{name[:51]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"
    return Subject(name, stack, f"the stack {stack}", f"swarmctl stack unlock {stack}")


# One experiment at a time in a Swarm. No stack's lock is called so.
CHAOS = Subject("swarmctl-chaos-lock", "chaos", "chaos", "swarmctl chaos revert --from-swarm")


def me(doing: str) -> Owner:
    """This process."""
    return Owner(getpass.getuser(), socket.gethostname(), os.getpid(), doing)


def manager_time(engine: Engine) -> datetime:
    """The time on the manager that is asked."""
    return parse_time(engine.get("/info")["SystemTime"])


def find(engine: Engine, subject: Subject) -> Lock | None:
    """A lock, also when its time is over."""
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
            f"the config {entry['Spec']['Name']} is no lock of this version of swarmctl",
            f"look at it and remove it, on a manager: docker config rm {entry['Spec']['Name']}",
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
        seconds: after which others may take it; longer than the work can last.
        owner: shown to others.
        note: told when the lock could not be given up; its time ends by itself.

    Raises:
        RefusedError: somebody else holds it; the message says who and for how long at most.
    """
    lock_id = acquire(engine, subject, seconds, owner)
    try:
        yield
    finally:
        try:
            release(engine, lock_id)
        except SwarmctlError as fault:
            note(f"the lock of {subject.what} stays for {seconds:.0f} s at most: {fault.message}")


def acquire(
    engine: Engine, subject: Subject, seconds: float, owner: Owner, plan: Json | None = None
) -> str:
    """Take a lock; the id of the config that is it. See :func:`held`.

    Args:
        engine: the Swarm.
        subject: which lock.
        seconds: after which others may take it.
        owner: shown to others.
        plan: what must be undone before anybody else may take it, however old it is.
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
    raise RefusedError(f"the lock of {subject.what} goes from hand to hand", "try again")


def _remove_if_stale(engine: Engine, subject: Subject) -> None:
    lock = find(engine, subject)
    if lock is None:  # released just now
        return
    now = manager_time(engine)
    if lock.held(now):
        raise RefusedError(
            f"{subject.what} is locked by {lock.owner} since {lock.since:%H:%M:%S} UTC "
            f"({(now - lock.since).total_seconds():.0f} s)",
            f"it ends by itself at {lock.until:%H:%M:%S} UTC at the latest; if that process is "
            f"gone: {subject.unlock}",
        )
    if lock.plan is not None:
        raise RefusedError(
            f"{subject.what} is locked: {lock.owner} left something undone at "
            f"{lock.since:%Y-%m-%d %H:%M:%S} UTC",
            f"undo it first: {subject.unlock}",
        )
    # By its id: if somebody else has replaced it meanwhile, the new one stays.
    release(engine, lock.id)


def release(engine: Engine, lock_id: str) -> None:
    """Give a lock up. It is no error if it is gone already."""
    delete(engine, f"/configs/{lock_id}")
