"""A lock in the Swarm, so that two people do not deploy one stack at the same time.

It is a config object: names are unique, so making it is atomic, whichever manager is asked. It says
who holds it, and for how long at most; a lock whose time is over was left by a deploy that was
killed, and is replaced. All times are the managers' clock, never this machine's.
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
from swarmctl.stack.converge import parse_time
from swarmctl.stack.engine import Engine, EngineError, Json

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
class Lock:
    """A lock that is there."""

    id: str
    owner: Owner
    since: datetime
    until: datetime

    def held(self, now: datetime) -> bool:
        """Whether its time is not over."""
        return now < self.until


def name_of(stack: str) -> str:
    """The name of a stack's lock; Swarm allows 64 characters."""
    name = f"swarmctl-lock-{stack}"
    if len(name) <= 64:
        return name
    return f"{name[:51]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"


def me(doing: str) -> Owner:
    """This process."""
    return Owner(getpass.getuser(), socket.gethostname(), os.getpid(), doing)


def manager_time(engine: Engine) -> datetime:
    """The time on the manager that is asked."""
    return parse_time(engine.get("/info")["SystemTime"])


def find(engine: Engine, stack: str) -> Lock | None:
    """A stack's lock, also when its time is over."""
    listed = engine.get("/configs", name=[name_of(stack)])
    entry = next((c for c in listed or () if c["Spec"]["Name"] == name_of(stack)), None)
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
    return Lock(entry["ID"], owner, since, since + timedelta(seconds=ttl))


@contextmanager
def held(
    engine: Engine,
    stack: str,
    seconds: float,
    owner: Owner,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold a stack's lock.

    Args:
        engine: the Swarm.
        stack: whose lock.
        seconds: after which others may take it; longer than the work can last.
        owner: shown to others.
        note: told when the lock could not be given up; its time ends by itself.

    Raises:
        RefusedError: somebody else holds it; the message says who and for how long at most.
    """
    lock_id = acquire(engine, stack, seconds, owner)
    try:
        yield
    finally:
        try:
            release(engine, lock_id)
        except SwarmctlError as fault:
            note(f"the lock of {stack} stays for {seconds:.0f} s at most: {fault.message}")


def acquire(engine: Engine, stack: str, seconds: float, owner: Owner) -> str:
    """Take a stack's lock; the id of the config that is it. See :func:`held`."""
    content = json.dumps({"owner": asdict(owner), "seconds": seconds})
    spec = {
        "Name": name_of(stack),
        "Labels": {LABEL: stack},
        "Data": base64.b64encode(content.encode()).decode(),
    }
    for _ in range(_TRIES):
        try:
            return str(engine.send("POST", "/configs/create", spec)["ID"])
        except EngineError as fault:
            if fault.status != 409:
                raise
        _remove_if_stale(engine, stack)
    raise RefusedError(f"the lock of the stack {stack} goes from hand to hand", "try again")


def _remove_if_stale(engine: Engine, stack: str) -> None:
    lock = find(engine, stack)
    if lock is None:  # released just now
        return
    now = manager_time(engine)
    if lock.held(now):
        raise RefusedError(
            f"the stack {stack} is locked by {lock.owner} since {lock.since:%H:%M:%S} UTC "
            f"({(now - lock.since).total_seconds():.0f} s)",
            f"it ends by itself at {lock.until:%H:%M:%S} UTC at the latest; if that process is "
            f"gone: swarmctl stack unlock {stack}",
        )
    # By its id: if somebody else has replaced it meanwhile, the new one stays.
    release(engine, lock.id)


def release(engine: Engine, lock_id: str) -> None:
    """Give a lock up. One that is gone already is fine."""
    try:
        engine.send("DELETE", f"/configs/{lock_id}", repeat=True)
    except EngineError as fault:
        if fault.status != 404:
            raise
