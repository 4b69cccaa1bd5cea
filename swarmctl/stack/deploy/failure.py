"""A failed deploy: the reason, the rollback, and whether the old version serves again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from swarmctl.errors import DeadlineExceededError, Exit, SwarmctlError
from swarmctl.stack.deploy import evidence, proof, rollback
from swarmctl.stack.deploy.converge import NotConvergedError, Progress
from swarmctl.stack.deploy.current import CurrentStack, read_current
from swarmctl.stack.deploy.plan import CREATE, UPDATE, DeployPlan
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Service, Swarm


class NotDeployedError(SwarmctlError):
    """A deploy failed; the message says why, and what happened to the old version."""


class NotRolledBackError(NotDeployedError):
    """A deploy failed, and the old version does not serve as it did."""

    exit_code = Exit.REVERT_FAILED


class InterruptedDeployError(NotDeployedError):
    """A deploy was interrupted; the old version serves."""

    exit_code = Exit.INTERRUPTED


@dataclass(frozen=True, slots=True)
class StackBefore:
    """The stack before the deploy: its objects, and how its services served."""

    current: CurrentStack
    health: Mapping[str, proof.ServiceHealth]
    addresses: Mapping[str, str]  # hostname → address reachable from here

    @classmethod
    def read(cls, engine: Engine, stack: str, addresses: Mapping[str, str]) -> Self:
        """Read the stack, and send a request to its published ports."""
        health = proof.health_of_stack(engine.snapshot(), stack, addresses)
        return cls(read_current(engine, stack), health, addresses)

    def health_now(self, engine: Engine) -> dict[str, proof.ServiceHealth]:
        """How the services serve now; empty when no manager answers, which proves nothing."""
        try:
            return proof.health_of_stack(engine.snapshot(), self.current.stack, self.addresses)
        except SwarmctlError:
            return {}


@dataclass(slots=True)
class SnapshotKeeper:
    """Takes snapshots and keeps the last one: the evidence when the wait fails."""

    engine: Engine
    swarm: Swarm | None = None
    deployed: dict[str, Service] = field(default_factory=dict)  # by name

    def snapshot(self) -> Swarm:
        """The Swarm now."""
        self.swarm = self.engine.snapshot()
        return self.swarm

    def remember(self, plan: DeployPlan) -> bool:
        """Keep the spec of each changed service, right after applying it.

        If the plan changes no service, all are kept: one of them may be incomplete.

        Returns:
            Whether the stack has a service.
        """
        changed = {change.name for change in plan.of("services", CREATE, UPDATE)}
        services = self.snapshot().stack_services(plan.stack)
        self.deployed = {s.name: s for s in services if not changed or s.name in changed}
        return bool(services)

    def evidence(self) -> list[str]:
        """The tasks that failed, and the last lines of their logs."""
        if self.swarm is None:
            return []
        found = evidence.with_logs(self.engine, evidence.task_failures(self.swarm, self.deployed))
        return [line for failure in found for line in failure.lines()]


@dataclass(frozen=True, slots=True)
class DeployFailure:
    """Why a deploy failed."""

    fault: SwarmctlError | KeyboardInterrupt
    stack: str
    evidence: tuple[str, ...] = ()
    changed: bool = True  # whether services had been changed when it failed

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C or SIGTERM ended it."""
        return isinstance(self.fault, KeyboardInterrupt)

    @property
    def timed_out(self) -> bool:
        """Whether more time might have helped."""
        if isinstance(self.fault, NotConvergedError):
            return self.fault.timed_out
        return isinstance(self.fault, DeadlineExceededError)

    @property
    def hint(self) -> str:
        """What to do next."""
        if self.timed_out:
            return "if it only needs more time: --wait 5m"
        if isinstance(self.fault, KeyboardInterrupt | NotConvergedError):
            return ""
        return self.fault.hint

    @property
    def headline(self) -> str:
        """In one line: the first service that did not converge, or the error."""
        if isinstance(self.fault, NotConvergedError):
            return str(self.fault.services[0]) if self.fault.services else self.fault.what
        return self.lines()[0]

    def lines(self) -> list[str]:
        """In full. The tasks' errors are left out if the evidence has them."""
        if isinstance(self.fault, KeyboardInterrupt):
            text = ["interrupted"]
        elif isinstance(self.fault, NotConvergedError) and self.evidence:
            text = [self.fault.what, *(f"  {service}" for service in self.fault.services)]
        else:
            text = self.fault.message.splitlines()
        return [*text, *(f"  {line}" for line in self.evidence)]

    def error(self, lines: list[str], hint: str) -> NotDeployedError:
        """The error to raise when the old version serves, or was not to be restored."""
        kind = InterruptedDeployError if self.interrupted else NotDeployedError
        return kind("\n".join(lines), hint)

    def without_rollback(self) -> NotDeployedError:
        """The error to raise with ``--no-rollback``."""
        first = f"the stack {self.stack} was not deployed, and not rolled back (--no-rollback)"
        return self.error([first, *self.lines()], "swarmctl status shows the present state")


def roll_back_failed(
    engine: Engine,
    failure: DeployFailure,
    before: StackBefore,
    *,
    timeout: float,
    settle: float,
    progress: Progress = lambda _: None,
) -> NotDeployedError:
    """Roll a failed deploy back and compare how the old version serves with before.

    Args as for :func:`swarmctl.stack.deploy.rollback.roll_back`. Returns the error to raise.
    """
    lines = [f"the stack {failure.stack} was not deployed: {failure.headline}"]
    trouble = ""
    try:
        done = rollback.roll_back(
            engine, before.current, timeout=timeout, settle=settle, progress=progress
        )
        rolled_back = "nothing is left of it: Swarm had already rolled back"
        lines += done.lines() or [rolled_back if failure.changed else "nothing had been changed"]
    except SwarmctlError as fault:
        trouble = fault.message
    health = before.health_now(engine)
    regressions = proof.regressions(before.health, health)
    if regressions or (trouble and not health):
        lines += [trouble] if trouble else []
        lines += ["the old version does not serve as before:", *regressions]
        return NotRolledBackError("\n  ".join(lines), "swarmctl status shows what is missing")
    if trouble:  # it was not complete before, either
        lines.append(f"the old version is back, as incomplete as before: {trouble}")
    if health:
        lines += ["the old version serves:", *(f"  {service}" for service in health.values())]
    else:
        lines.append("there was no version before; nothing is left of this one")
    return failure.error(["\n  ".join(lines)], failure.hint)
