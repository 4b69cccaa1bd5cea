"""What a run keeps and shows: its journal, the time line, and progress."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import GuardRecord, Journal, Mark
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.world.protocols import Clock, Progress
from swarmctl.errors import SwarmctlError


@dataclass
class RunLog:
    """Writes one run's journal.

    Args:
        overrides: names of guards whose refusal is ignored.
        stored: whether the journal goes to disk; not in a rehearsal.
    """

    journal: Journal
    runs: Runs
    clock: Clock
    progress: Progress
    interrupts: Interrupts
    overrides: frozenset[str] = frozenset()
    stored: bool = True

    def step(self, phase: str, title: str = "") -> None:
        """A phase begins."""
        self.journal.phase = phase
        if title:
            self.progress.step(title)
        self.try_save()

    def note(self, text: str) -> None:
        """Show something that stays worth reading."""
        self.progress.note(text)

    def awaiting(self, text: str) -> None:
        """Show what is being waited for; also the answer to a signal that comes meanwhile."""
        self.interrupts.doing = text
        self.progress.status(f"waiting for {text}")

    def mark(self, kind: str, text: str, at: float | None = None, silenced: str = "") -> None:
        """Put a moment on the time line.

        Args:
            kind: of the moment.
            text: what happened.
            at: run time in seconds; by default now.
            silenced: the node whose replicas do not answer from this moment on.
        """
        moment = round(self.clock.now() if at is None else at, 3)
        self.journal.marks.append(Mark(moment, kind, text, silenced))
        fault = self.journal.moment("fault")
        self.note(f"{moment - (moment if fault is None else fault):+.1f} s  {text}")

    def guard(self, guard: GuardRecord) -> None:
        """Store and show a guard's newest result, overridden if the user says so."""
        if not guard.ok and guard.name in self.overrides:
            guard = GuardRecord(guard.name, False, guard.detail, guard.remedy, overridden=True)
        others = (known for known in self.journal.guards if known.name != guard.name)
        self.journal.guards = (*others, guard)
        sign = "✓" if guard.ok else "!" if guard.overridden else "✗"
        text = f"{guard.detail} (overridden)" if guard.overridden else guard.detail
        self.note(f"{sign} {guard.name}: {text}")

    @property
    def fault_s(self) -> float:
        """When the fault began, in run time."""
        at = self.journal.moment("fault")
        assert at is not None
        return at

    def save(self) -> None:
        """Store the journal.

        Raises:
            SwarmctlError: it cannot be written.
        """
        self.runs.save(self.journal)

    def try_save(self) -> None:
        """Store the journal if possible: a full disk must not prevent the revert."""
        if not self.stored or not self.journal.targets:
            return  # a rehearsal, or it ended before there were targets: no run
        try:
            self.save()
        except SwarmctlError as error:
            self.note(error.message)
