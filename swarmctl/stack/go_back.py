"""``swarmctl stack rollback``: services go back to the version before their last change.

As ``docker service rollback``, but it also finds the former version after a refresh of the pull
credentials, and sends new credentials for it: those of the former version may have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.reading.names import unknown
from swarmctl.registry import former, renewed
from swarmctl.stack.deploy import converge
from swarmctl.stack.deploy.apply import update_service
from swarmctl.stack.deploy.current import CurrentStack
from swarmctl.stack.deploy.deploy import connect
from swarmctl.stack.deploy.images import Credentials, local_credentials
from swarmctl.stack.deploy.interrupts import Interrupts
from swarmctl.stack.deploy.remove import read_deployed
from swarmctl.stack.deploy.specs import Difference, differences, normal
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine, Json, SwarmEngine
from swarmctl.swarm.patience import Patient

Note = Callable[[str], None]
_OVERHEAD_S = 60.0


@dataclass(frozen=True, slots=True)
class Return:
    """A service that goes back.

    Attributes:
        service: as the Engine gives it.
        spec: its former one.
        differences: what that changes.
    """

    service: Json
    spec: Json
    differences: tuple[Difference, ...]

    def lines(self) -> list[str]:
        """For a person; secrets are masked."""
        name = self.service["Spec"]["Name"]
        return [f"~ service {name}", *(f"    {difference}" for difference in self.differences)]


def plan(current: CurrentStack, names: Sequence[str] = ()) -> list[Return]:
    """The services that have a former version, and how it differs. Pure.

    Args:
        current: the stack.
        names: only these; with or without the stack's name before them. All if there are none.

    Raises:
        UsageError: the stack has no such service, or no former version of it is known.
    """
    chosen = [_full(current, name) for name in names] or list(current.services)
    found = []
    for name in chosen:
        service = current.services[name]
        spec = former.find(service, current.known.get("configs", {}).values())
        if spec is None:
            if names:
                raise SwarmctlError(
                    f"no former version of {name} is known",
                    "Swarm keeps one, and only after a change; deploy the version you want",
                )
            continue
        networks = current.network_names
        new, old = normal(spec, networks), normal(service["Spec"], networks)
        found.append(Return(service, spec, differences(old, new)))
    return found


def go_back(
    target: Target,
    stack: str,
    names: Sequence[str] = (),
    *,
    timeout: float,
    settle: float,
    dry_run: bool,
    note: Note,
    progress: converge.Progress = lambda _: None,
) -> list[str]:
    """Bring services back to their former version, and wait until it runs.

    Returns:
        What was, or would be, changed; nothing if no former version is known.

    Raises:
        UsageError: there is no such stack or service.
        RefusedError: another process is deploying this stack.
        NotConvergedError: the former version does not run in time.
    """
    with connect(target) as swarm:
        engine = Patient(SwarmEngine(swarm), timeout, note)
        if dry_run:
            return _lines(plan(read_deployed(engine, stack), names))
        with Interrupts(stack, "rollback") as interrupts, ExitStack() as held:
            with interrupts.deferred():
                subject, owner = lock.of_stack(stack), lock.this_process("rollback")
                held.enter_context(lock.held(engine, subject, timeout + _OVERHEAD_S, owner, note))
            returns = plan(read_deployed(engine, stack), names)
            since = lock.manager_time(engine)
            credentials = local_credentials()
            for one in returns:
                send_back(engine, one, credentials, note)
            if returns:
                converge.wait(
                    engine.snapshot,
                    stack,
                    timeout=timeout,
                    settle=settle,
                    since=since,
                    progress=progress,
                )
    return _lines(returns)


def send_back(engine: Engine, one: Return, credentials: Credentials, note: Note) -> None:
    """Give a service its former spec, with new credentials if there are any."""
    spec = one.spec
    try:
        auth = credentials(renewed.image_of(spec))
    except SwarmctlError as fault:
        note(f"{spec['Name']}: with the credentials that Swarm has: {fault.message}")
        auth = ""
    if auth:
        spec = renewed.stamped(spec, lock.manager_time(engine))
    else:  # Swarm keeps those of the current spec
        spec = renewed.carried(renewed.without(spec), one.service["Spec"])
    update_service(engine, one.service, spec, auth=auth)


def _full(current: CurrentStack, name: str) -> str:
    for known in (name, f"{current.stack}_{name}"):
        if known in current.services:
            return known
    raise unknown("service", name, current.services)


def _lines(returns: Sequence[Return]) -> list[str]:
    return [line for one in returns for line in one.lines()]
