"""Deploy a stack: plan, apply, wait with a deadline; if it fails, roll back and prove it.

    lock → look → plan → apply → wait until the new version runs → remove what is no longer in it
                           └── failed ──► evidence → roll back → prove that the old version serves

Every step has a deadline of its own, so a deploy always ends.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.stack.deploy import converge, images, wanted
from swarmctl.stack.deploy.apply import apply, create, remove_services
from swarmctl.stack.deploy.current import Current, look
from swarmctl.stack.deploy.failure import Before, Reason, Watched, recovered
from swarmctl.stack.deploy.plan import CREATE, REMOVE, UPDATE, Plan, plan
from swarmctl.stack.deploy.specs import normal
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.patience import Patient, again
from swarmctl.swarm.ssh import NotNowError

if TYPE_CHECKING:
    from swarmctl.cluster import Target
    from swarmctl.stack.render.render import Rendered
    from swarmctl.swarm.client import Failover
    from swarmctl.swarm.ssh import Endpoint

# Seconds. An old version has run before: to bring it back takes no longer than this, unless the
# user has said that a deploy may take longer.
ROLLBACK_TIMEOUT = 120.0
REMOVAL_TIMEOUT = 60.0
# What reading, looking up, applying and gathering evidence may take together.
_OVERHEAD = 240.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to deploy.

    Attributes:
        wait: seconds within which the new version must run.
        settle: seconds it must go on running.
        rollback: whether a failed deploy is taken back.
        prune: whether services that are no longer in the file are removed.
        resolve: when the registry is asked for digests: ``always``, ``changed`` or ``never``.
        registry_auth: whether this machine's Docker credentials go along.
        make_secrets: secrets that get a random value when they do not exist.
    """

    wait: float = 120.0
    settle: float = converge.SETTLE
    rollback: bool = True
    prune: bool = True
    resolve: str = images.CHANGED
    registry_auth: bool = False
    make_secrets: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Say:
    """Where a deploy tells what it does."""

    note: Callable[[str], None] = lambda _: None
    planned: Callable[[Plan], None] = lambda _: None
    progress: Callable[[list[converge.Judgement]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Deployed:
    """How it went."""

    plan: Plan
    made_secrets: tuple[str, ...]
    judgements: tuple[converge.Judgement, ...]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether the Swarm is another than before."""
        return bool(self.made_secrets) or not self.plan.empty


def deploy(target: Target, stack: str, rendered: Rendered, options: Options, say: Say) -> Deployed:
    """Deploy a rendered stack.

    Args:
        target: the Swarm.
        stack: the name to deploy it under.
        rendered: the compose file and what belongs beside it.
        options: see there.
        say: told what happens.

    Raises:
        NotDeployedError: the new version did not run; it was rolled back unless told not to.
        NotRolledBackError: and the old version does not serve as before.
        RefusedError: somebody else deploys this stack.
        UsageError: docker refuses the compose file; nothing was changed.
    """
    started = time.monotonic()
    seconds = _OVERHEAD + options.wait + max(ROLLBACK_TIMEOUT, options.wait) + REMOVAL_TIMEOUT
    with connect(target) as swarm:
        again(swarm.client, options.wait, only=NotNowError, note=say.note)
        engine = Patient(SwarmEngine(swarm), options.wait, say.note)
        with lock.held(engine, lock.of_stack(stack), seconds, lock.me("deploy"), say.note):
            made = make_secrets(engine, options.make_secrets)
            before = again(lambda: Before.seen(engine, stack, addresses(target)), options.wait)
            todo = make_plan(swarm, engine, stack, rendered, before.current, options, say)
            say.planned(todo)
            judgements = carry_out(engine, todo, before, options, say)
            _remove_old(engine, todo, before.current)
    return Deployed(todo, tuple(made), tuple(judgements), time.monotonic() - started)


def connect(target: Target) -> Failover:
    """A connection for a deploy: registries may take longer to answer than managers."""
    from swarmctl.swarm.client import Failover

    return Failover(target.endpoints, request_timeout=10.0)


def addresses(target: Target) -> dict[str, str]:
    """Where each node is reached from here: hostname → address; empty without EC2."""
    return {instance.name: instance.address for instance in target.instances}


def make_plan(
    swarm: Failover,
    engine: Engine,
    stack: str,
    rendered: Rendered,
    current: Current,
    options: Options,
    say: Say,
) -> Plan:
    """What a deploy would change. Changes nothing.

    Raises:
        UsageError: docker refuses the compose file, or a config has another content.
    """
    asked = again(
        lambda: swarm.ask(lambda manager: _asked(manager.endpoint, stack, rendered, options)),
        options.wait,
        note=say.note,
    )
    for line in asked.notes:
        say.note(f"docker: {line}")
    exact = images.resolve(
        asked,
        current,
        engine,
        mode=options.resolve,
        credentials=_credentials(options),
        note=say.note,
    )
    return plan(exact, current, prune=options.prune)


def _asked(manager: Endpoint, stack: str, rendered: Rendered, options: Options) -> wanted.Wanted:
    from swarmctl.swarm.client import not_now

    try:
        return wanted.ask(manager, stack, rendered, pretend=options.make_secrets)
    except SwarmctlError as fault:
        if not not_now(fault.message):
            raise
        raise NotNowError(fault.message, fault.hint) from fault  # the CLI met an election


def make_secrets(engine: Engine, names: Sequence[str]) -> list[str]:
    """Give secrets that do not exist a random value; the names of those that were made.

    They do not carry the stack's label: what a database was set up with must outlive the stack.
    """
    there = {entry["Spec"]["Name"] for entry in engine.get("/secrets") or ()} if names else set()
    made = [name for name in names if name not in there]
    for name in made:
        value = secrets.token_urlsafe(24).encode()
        create(engine, "/secrets/create", {"Name": name, "Data": base64.b64encode(value).decode()})
    return made


def carry_out(
    engine: Engine, todo: Plan, before: Before, options: Options, say: Say
) -> list[converge.Judgement]:
    """Apply a plan and wait; if that fails, roll back.

    Raises:
        NotDeployedError: see :func:`deploy`.
    """
    watched = Watched(engine)
    try:
        since = lock.manager_time(engine)
        apply(todo, before.current, engine, _credentials(options))
        if not again(lambda: watched.remember(todo), options.wait):
            return []  # a file without services
        judgements = converge.wait(
            watched,
            todo.stack,
            timeout=options.wait,
            settle=0.0 if todo.empty else options.settle,
            since=since,
            progress=say.progress,
        )
        _check_it_is_ours(engine, todo)
    except (SwarmctlError, KeyboardInterrupt) as fault:
        changed = bool(watched.hashes) and not todo.empty
        reason = Reason(fault, todo.stack, tuple(watched.evidence()), changed)
        if not options.rollback:
            raise reason.left_as_it_is() from fault
        say.note("\n".join([*reason.lines(), "rolling back …"]))
        timeout = max(ROLLBACK_TIMEOUT, options.wait)
        raise recovered(
            engine,
            reason,
            before,
            timeout=timeout,
            settle=options.settle,
            progress=say.progress,
        ) from fault
    return judgements


def _check_it_is_ours(engine: Engine, todo: Plan) -> None:
    """That what has converged is what was deployed, and not what Swarm went back to.

    An update that was rolled back is seen by its UpdateStatus; only clocks that differ between
    managers could hide it.
    """
    now = look(engine, todo.stack)
    for change in todo.of("services", CREATE, UPDATE):
        there = now.services.get(change.name)
        names = now.network_names
        if there is None or normal(there["Spec"], names) != normal(change.spec or {}, names):
            raise converge.NotConvergedError(
                f"{change.name} runs another version than the one that was deployed: "
                "Swarm has rolled it back, or somebody has changed it"
            )


def _credentials(options: Options) -> images.Credentials:
    return images.local_credentials() if options.registry_auth else images.no_credentials


def _remove_old(engine: Engine, todo: Plan, current: Current) -> None:
    old = [change.name for change in todo.of("services", REMOVE)]
    gone = {name: current.services[name]["ID"] for name in old}
    try:
        remove_services(engine, gone, REMOVAL_TIMEOUT)
    except DeadlineExceededError as fault:
        raise SwarmctlError(
            f"the stack {todo.stack} is deployed, but {fault.message}",
            "a node that is down keeps them listed; swarmctl status shows it",
        ) from fault
