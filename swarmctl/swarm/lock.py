"""A lock in the Swarm: one process at a time deploys a stack, or runs an experiment.

It is a config object: names are unique, so creating it is atomic, whichever manager is asked. It
names its owner and expires. An expired lock was left by a process that was killed; it is replaced,
unless it holds a plan that must be carried out first. All times are the managers' clock, never this
machine's. An owner that renews its lock shows that it is alive: Swarm lets the labels of a config
be changed, and notes when.

Whoever may write to the Swarm may write a lock: nothing in it is trusted.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.reading.commands import word
from swarmctl.reading.texts import one_line
from swarmctl.reading.times import parse_time
from swarmctl.swarm.engine import Engine, EngineError, Json, delete
from swarmctl.swarm.patience import again

LABEL = "swarmctl.lock"
REBALANCE = "rebalance"  # key of a rebalance's plan: service id → replicas
_RENEWED = "swarmctl.lock.renewed"  # how often the owner has renewed it
_TRIES = 3
# How long a lock is asked for whose creation got no answer: as long as an election lasts.
_PATIENCE_S = 20.0
RENEW_S = 15.0
# Without a renewal for so long, an owner is gone. Renewals fail while the managers elect a leader.
LIVE_S = 90.0
_MAX_TEXT = 100


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a lock."""

    user: str
    host: str
    pid: int
    doing: str  # for example "deploy"

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, {self.doing})"

    @property
    def alive(self) -> bool | None:
        """Whether the process is there; ``None`` if it is not one of this user on this machine."""
        if (self.user, self.host) != (getpass.getuser(), socket.gethostname()):
            return None
        with suppress(OSError, IndexError):  # a zombie is dead, though os.kill still finds it
            state = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
            if state.split()[0] in ("Z", "X"):
                return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True


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
    """A lock that exists.

    Args:
        id: of its config.
        owner: who took it.
        since: when.
        until: when it expires.
        plan: what must be undone before it is removed, if anything. It is not checked.
        renewed: when the owner last showed that it is alive; ``None``: it does not renew.
    """

    id: str
    owner: Owner
    since: datetime
    until: datetime
    plan: Json | None = None
    renewed: datetime | None = None

    def active(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return now < self.until

    @property
    def alive_until(self) -> datetime:
        """Until when the owner counts as alive if it is on another machine."""
        return self.renewed + timedelta(seconds=LIVE_S) if self.renewed else self.until

    def owned(self, now: datetime) -> bool:
        """Whether its owner is alive, as far as can be known from here."""
        here = self.owner.alive
        return now < self.alive_until if here is None else here


def of_stack(stack: str) -> Subject:
    """The lock of a stack: one deploy at a time."""
    name = f"swarmctl-lock-{stack}"
    if len(name) > 64:
        name = f"{name[:51]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"
    return Subject(name, stack, f"the stack {stack}", f"swarmctl stack unlock {word(stack)}")


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


def deploying(configs: Iterable[Json], now: datetime) -> frozenset[str]:
    """The stacks whose lock has not expired.

    Args:
        configs: of the Swarm.
        now: by the managers' clock.
    """
    found = set()
    for config in configs:
        stack = (config["Spec"].get("Labels") or {}).get(LABEL, "")
        with suppress(SwarmctlError):  # not a lock of this version
            if config["Spec"]["Name"] == of_stack(stack).name and _read(config).active(now):
                found.add(stack)
    return frozenset(found)


def _read(entry: Json) -> Lock:
    name = entry["Spec"]["Name"]
    since = parse_time(entry["CreatedAt"])
    try:
        content = json.loads(base64.b64decode(entry["Spec"]["Data"]))
        owner = _owner(**content["owner"])
        until = since + timedelta(seconds=float(content["seconds"]))
        plan = content.get("plan")
        if not isinstance(plan, dict | None):
            raise TypeError
        renewed = parse_time(entry.get("UpdatedAt") or entry["CreatedAt"])
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as fault:
        raise SwarmctlError(
            f"the config {name} is not a lock of this version of swarmctl",
            f"inspect it and remove it, on a manager: docker config rm {word(name)}",
        ) from fault
    if not content.get("renews"):
        return Lock(entry["ID"], owner, since, until, plan)
    until = max(until, renewed + timedelta(seconds=LIVE_S))
    return Lock(entry["ID"], owner, since, until, plan, renewed)


def _owner(user: str, host: str, pid: int, doing: str) -> Owner:
    if not isinstance(pid, int) or pid < 1:
        raise ValueError
    return Owner(
        one_line(user, _MAX_TEXT), one_line(host, _MAX_TEXT), pid, one_line(doing, _MAX_TEXT)
    )


@contextmanager
def held(
    engine: Engine,
    subject: Subject,
    seconds: float,
    owner: Owner,
    note: Callable[[str], None] = lambda _: None,
    plan: Json | None = None,
    renewer: Engine | None = None,
) -> Iterator[None]:
    """Hold a lock.

    Args:
        engine: the Swarm.
        subject: which lock.
        seconds: until it expires; longer than the work can last.
        owner: shown to others.
        note: called with a message when the lock could not be released; it then expires.
        plan: see :func:`acquire`.
        renewer: a connection of its own, on which the lock is renewed meanwhile.

    Raises:
        RefusedError: another process holds it; the message says which, and until when at most.
    """
    lock_id = acquire(engine, subject, seconds, owner, plan, renews=renewer is not None)
    stop_renewing = renewing(renewer, lock_id) if renewer is not None else lambda: None
    try:
        yield
    finally:
        stop_renewing()
        try:
            release(engine, lock_id)
        except SwarmctlError as fault:
            note(
                f"cannot release the lock of {subject.what}, it expires within "
                f"{seconds:.0f} s: {fault.message}"
            )


def acquire(
    engine: Engine,
    subject: Subject,
    seconds: float,
    owner: Owner,
    plan: Json | None = None,
    *,
    renews: bool = False,
) -> str:
    """Take a lock and return the id of its config; see :func:`held`.

    Args:
        engine: the Swarm.
        subject: which lock.
        seconds: until it expires.
        owner: shown to others.
        plan: what must be undone before another process may take it, expired or not.
        renews: whether the owner calls :func:`renew`.

    Raises:
        RefusedError: another process holds it.
        ManagerError: no manager answers: whether the lock was taken is not known.
    """
    nonce = uuid.uuid4().hex
    content: Json = {"owner": asdict(owner), "seconds": seconds, "nonce": nonce, "renews": renews}
    if plan is not None:
        content["plan"] = plan
    data = base64.b64encode(json.dumps(content).encode()).decode()
    spec = {"Name": subject.name, "Labels": {LABEL: subject.label}, "Data": data}
    for _ in range(_TRIES):
        try:
            # A connection that broke hides whether the lock was made: the next try then conflicts.
            made = again(lambda: engine.send("POST", "/configs/create", spec), _PATIENCE_S)
            return str(made["ID"])
        except EngineError as fault:
            if fault.status != 409:
                raise
            if fault.repeated and (mine := _with_data(engine, subject, data)):
                return mine
        _remove_if_stale(engine, subject)
    raise RefusedError(
        f"the lock of {subject.what} is contended: gave up after {_TRIES} tries", "try again"
    )


def _with_data(engine: Engine, subject: Subject, data: str) -> str:
    """The id of the lock with exactly this content, or ``""``."""
    listed = engine.get("/configs", name=[subject.name]) or ()
    return next((str(c["ID"]) for c in listed if c["Spec"].get("Data") == data), "")


def renew(engine: Engine, lock_id: str) -> None:
    """Show that the owner of a lock is alive."""
    entry = engine.get(f"/configs/{lock_id}")
    spec, version = entry["Spec"], str(entry["Version"]["Index"])
    count = str(int(spec["Labels"].get(_RENEWED, "0")) + 1)
    body = {**spec, "Labels": {**spec["Labels"], _RENEWED: count}}
    engine.send("POST", f"/configs/{lock_id}/update", body, params={"version": version})


def renewing(engine: Engine, lock_id: str, every_s: float = RENEW_S) -> Callable[[], None]:
    """Renew a lock in a thread, until the function that is returned is called.

    Args:
        engine: a connection of its own.
        lock_id: of the lock's config.
        every_s: seconds between two renewals.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every_s):
            with suppress(SwarmctlError):  # an election: the next one may arrive
                renew(engine, lock_id)

    threading.Thread(target=work, name="renew the lock", daemon=True).start()
    return ended.set


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
