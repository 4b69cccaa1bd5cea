"""What every move needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from swarmctl.moves.publishers import Publisher
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.wait import CLOCK, Clock, wait_for

Poll = Callable[[], tuple[bool | None, str]]


class Interrupts(Protocol):
    """Ctrl-C and the like, handled only at safe moments (swarmctl.chaos.run.interrupts)."""

    doing: str

    def check(self) -> None:
        """Raise if a signal came and nothing is being put back."""

    def reverting(self) -> None:
        """From now on signals do not end anything."""

    def reverted(self) -> None:
        """From now on signals end the run again."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every move needs.

    Attributes:
        engine: the Swarm; should survive an election (swarmctl.swarm.patience).
        interrupts: checked between two requests.
        timeout: seconds for replicas to run elsewhere.
        note: called with a line for each step.
        clock: replaced in tests.
        publishers: what tells clients of endpoints.
        renewer: a connection of its own, on which the lock is renewed; see ``lock.renewing``.
        complete: adds what the managers forgot to a snapshot.
    """

    engine: Engine
    interrupts: Interrupts
    timeout: float = 120.0
    note: Callable[[str], None] = lambda _: None
    clock: Clock = CLOCK
    publishers: tuple[Publisher, ...] = ()
    renewer: Engine | None = None
    complete: Callable[[Swarm], Swarm] = lambda swarm: swarm

    def swarm(self) -> Swarm:
        """The Swarm as it is to be published: with what the managers forgot."""
        return self.complete(self.engine.snapshot())

    def wait(self, what: str, poll: Poll, seconds: float) -> None:
        """Poll until it holds; a signal ends the wait.

        Raises:
            DeadlineExceededError: it did not within these seconds.
        """
        self.interrupts.doing = what

        def checked() -> tuple[bool | None, str]:
            self.interrupts.check()
            return poll()

        clock = self.clock
        wait_for(what, checked, timeout=seconds, clock=clock.now, pause=clock.pause)

    def let_pass(self, seconds: float, what: str) -> None:
        """Let time pass; a signal ends it."""
        end = self.clock.now() + seconds

        def over() -> tuple[bool | None, str]:
            left = end - self.clock.now()
            return (True if left <= 0 else None), f"{left:.1f} s left"

        self.wait(what, over, seconds + 5.0)
