"""A deploy that failed: why, what was done about it, and whether the old version serves again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from swarmctl.errors import Exit, SwarmctlError
from swarmctl.stack.deploy import evidence, proof, rollback
from swarmctl.stack.deploy.current import Current, look
from swarmctl.stack.deploy.plan import CREATE, UPDATE, Plan
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm

_NOTHING_LEFT = "nothing is left of it: Swarm had gone back by itself already"


class NotDeployedError(SwarmctlError):
    """A deploy failed; the message says why, and what became of the old version."""


class NotRolledBackError(NotDeployedError):
    """A deploy failed, and the old version does not serve as it did."""

    exit_code = Exit.REVERT_FAILED


class InterruptedDeployError(NotDeployedError):
    """Somebody ended a deploy; the old version serves."""

    exit_code = Exit.INTERRUPTED


@dataclass(frozen=True, slots=True)
class Before:
    """How the stack stood when the deploy began."""

    current: Current
    standings: Mapping[str, proof.Standing]
    addresses: Mapping[str, str]  # hostname → where it is reached from here

    @classmethod
    def seen(cls, engine: Engine, stack: str, addresses: Mapping[str, str]) -> Self:
        """Look at the stack, and ask its published ports."""
        standings = proof.standings(engine.snapshot(), stack, addresses)
        return cls(look(engine, stack), standings, addresses)

    def now(self, engine: Engine) -> dict[str, proof.Standing]:
        """How the stack stands now; nothing when nobody answers: then nothing is proven."""
        try:
            return proof.standings(engine.snapshot(), self.current.stack, self.addresses)
        except SwarmctlError:
            return {}


@dataclass(slots=True)
class Watched:
    """Passes snapshots on and keeps the last one: the evidence, whatever the wait ends with."""

    engine: Engine
    swarm: Swarm | None = None
    hashes: dict[str, str] = field(default_factory=dict)  # service → spec_hash, as deployed

    def snapshot(self) -> Swarm:
        """The Swarm now."""
        self.swarm = self.engine.snapshot()
        return self.swarm

    def remember(self, todo: Plan) -> bool:
        """Note which spec is the new one of each service, right after applying; whether any is.

        When nothing was changed, every service counts: one of them may be what is not complete.
        """
        changed = {change.name for change in todo.of("services", CREATE, UPDATE)}
        services = self.snapshot().stack_services(todo.stack)
        self.hashes = {s.name: s.spec_hash for s in services if not changed or s.name in changed}
        return bool(services)

    def evidence(self) -> list[str]:
        """The tasks that went wrong, and the last lines of their logs."""
        if self.swarm is None:
            return []
        found = evidence.with_logs(self.engine, evidence.failures(self.swarm, self.hashes))
        return [line for failure in found for line in failure.lines()]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a deploy failed."""

    fault: SwarmctlError | KeyboardInterrupt
    stack: str
    evidence: tuple[str, ...] = ()
    changed: bool = True  # whether the services had been changed when it failed

    @property
    def interrupted(self) -> bool:
        """Whether somebody ended it."""
        return isinstance(self.fault, KeyboardInterrupt)

    @property
    def words(self) -> str:
        """What the error says, which may be several lines."""
        return "interrupted" if isinstance(self.fault, KeyboardInterrupt) else self.fault.message

    @property
    def short(self) -> str:
        """In one line: of a stack that did not converge, its first service that did not."""
        return (self.words.splitlines()[1:2] or [self.words])[0].strip()

    def lines(self) -> list[str]:
        """In full. The tasks' own words are told by the evidence, if there is some."""
        told = self.words.splitlines()
        if self.evidence:
            told = [line for line in told if not line.startswith("    ")]
        return [*told, *(f"  {line}" for line in self.evidence)]

    def left_as_it_is(self) -> NotDeployedError:
        """The error when nothing is to be rolled back."""
        lines = [f"the stack {self.stack} was not deployed, and not rolled back (--no-rollback)"]
        kind = InterruptedDeployError if self.interrupted else NotDeployedError
        return kind("\n".join([*lines, *self.lines()]), "swarmctl status shows what there is")


def recovered(
    engine: Engine,
    reason: Reason,
    before: Before,
    *,
    timeout: float,
    settle: float,
    progress: rollback.Progress = lambda _: None,
) -> NotDeployedError:
    """Roll back, see whether the old version serves, and word the error.

    Args:
        engine: the Swarm.
        reason: why.
        before: how it was.
        timeout: seconds for the rollback.
        settle: seconds the old version must go on running.
        progress: told how far it is.
    """
    lines = [f"the stack {reason.stack} was not deployed: {reason.short}"]
    trouble = ""
    try:
        done = rollback.restore(
            engine, before.current, timeout=timeout, settle=settle, progress=progress
        )
        lines += done.lines() or [_NOTHING_LEFT if reason.changed else "nothing had been changed"]
    except SwarmctlError as fault:
        trouble = fault.message
    standing = before.now(engine)
    losses = proof.losses(before.standings, standing)
    if losses or (trouble and not standing):
        lines += [trouble] if trouble else []
        lines += ["the old version does not serve as before:", *losses]
        return NotRolledBackError("\n  ".join(lines), "swarmctl status shows what is missing")
    if trouble:  # it was not complete before, either
        lines.append(f"the old version is back, as incomplete as before: {trouble}")
    lines += _proof(standing)
    kind = InterruptedDeployError if reason.interrupted else NotDeployedError
    return kind("\n  ".join(lines), _advice(reason))


def _proof(standing: Mapping[str, proof.Standing]) -> list[str]:
    if not standing:
        return ["there was no version before; nothing is left of this one"]
    return ["the old version serves:", *(f"  {one}" for one in standing.values())]


def _advice(reason: Reason) -> str:
    return "if it only needs more time: --wait 5m" if reason.words.startswith("waited") else ""
