"""What a run says and keeps: the journal, the time line, and the words on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import GuardRecord, Journal, Mark
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.observer import Observer
from swarmctl.chaos.world.protocols import Clock, Progress
from swarmctl.errors import SwarmctlError


@dataclass
class Record:
    """One run's journal while it is written.

    Args:
        journal: what is known.
        runs: where it is kept.
        clock: the run's time.
        progress: the screen.
        interrupts: told what is being waited for.
        observer: whose samples and tasks are kept.
        overrides: names of guards whose refusal does not count.
        kept: whether the journal goes to disk.
    """

    journal: Journal
    runs: Runs
    clock: Clock
    progress: Progress
    interrupts: Interrupts
    observer: Observer
    overrides: frozenset[str] = frozenset()
    kept: bool = True

    def step(self, phase: str, title: str = "") -> None:
        """A phase begins."""
        self.journal.phase = phase
        if title:
            self.progress.step(title)
        self.try_save()

    def note(self, text: str) -> None:
        """Something stays worth reading."""
        self.progress.note(text)

    def status(self, text: str) -> None:
        """How things stand now."""
        self.progress.status(text)

    def awaiting(self, text: str) -> None:
        """What is being waited for."""
        self.interrupts.doing = text
        self.progress.status(f"waiting for {text}")

    def mark(self, kind: str, text: str, at: float | None = None) -> None:
        """A moment for the time line; now, unless ``at`` (run time) says otherwise."""
        moment = round(self.clock.now() if at is None else at, 3)
        self.journal.marks.append(Mark(moment, kind, text))
        fault = self.journal.moment("fault")
        self.note(f"+{moment - (moment if fault is None else fault):.1f} s  {text}")

    def guard(self, guard: GuardRecord) -> None:
        """What a guard said."""
        if not guard.ok and guard.name in self.overrides:
            guard = GuardRecord(guard.name, False, guard.detail, guard.remedy, overridden=True)
        self.journal.guards += (guard,)
        sign = "✓" if guard.ok else "!" if guard.overridden else "✗"
        text = f"{guard.detail} (overridden)" if guard.overridden else guard.detail
        self.note(f"{sign} {guard.name}: {text}")

    @property
    def fault_s(self) -> float:
        """When the fault came, in run time."""
        at = self.journal.moment("fault")
        assert at is not None
        return at

    def save(self) -> None:
        """Put everything known on disk.

        Raises:
            SwarmctlError: it cannot be written.
        """
        self.journal.samples = self.observer.samples
        self.journal.blind = self.observer.blind
        self.journal.tasks = self.observer.tasks
        self.journal.lag_s = self.observer.lag_s
        self.runs.save(self.journal)

    def try_save(self) -> None:
        """Put it on disk if possible: a full one must not keep us from putting things back."""
        if not self.kept or not self.journal.targets:
            return  # a rehearsal, or a mistyped name: no run
        try:
            self.save()
        except SwarmctlError as error:
            self.note(error.message)
