"""``swarmctl chaos revert``: undo from the journal alone, in another process and another time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from swarmctl.chaos import undo
from swarmctl.chaos.faults import FAULTS, Setting
from swarmctl.chaos.journal import Journal, Mark, Runs
from swarmctl.chaos.seams import Clock, Ec2, Progress, Swarms
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm


def revert(
    journal: Journal,
    runs: Runs,
    ec2: Ec2,
    connect: Callable[[], Swarms],
    clock: Clock,
    progress: Progress,
) -> None:
    """Carry out a run's undo plan, as far as it is not carried out.

    Args:
        journal: the run; nothing happens if it has nothing left to undo.
        runs: where the journal is kept.
        ec2: the machines.
        connect: finds the managers. Called again until one answers: the machine that is about to
            come back may be one of them.
        clock: this process's time.
        progress: where it is said what happens.

    Raises:
        RevertFailedError: it did not work; it can be tried again.
    """
    if not journal.undo.pending:
        return
    if journal.experiment not in FAULTS:
        raise undo.failure(journal, f"this version knows no fault {journal.experiment!r}")
    # Marks stay on the run's clock: seconds since it began, though another process made them.
    ago = (datetime.now(UTC) - datetime.fromisoformat(journal.started_at)).total_seconds()
    offset = max(0.0, ago) - clock.now()
    managers = _Managers(connect)

    def mark(kind: str, text: str) -> None:
        journal.marks.append(Mark(round(clock.now() + offset, 3), kind, text))
        progress.note(text)

    def status(text: str) -> None:
        progress.status(f"waiting for {text}")

    fault = FAULTS[journal.experiment](Setting(ec2, clock, lambda: None, status, mark))
    undo.carry_out(
        journal,
        undo.Undoing(
            fault=fault,
            look=managers.look,
            why_blind=lambda: managers.trouble,
            clock=clock,
            status=status,
            mark=mark,
            save=lambda: runs.save(journal),
        ),
    )
    # Whatever it found before, it was not seen to its end.
    journal.outcome, journal.phase = "interrupted", "ended"
    journal.ended_s = round(clock.now() + offset, 3)
    runs.save(journal)


class _Managers:
    """Asks the managers, and looks for them anew when none answers."""

    def __init__(self, connect: Callable[[], Swarms]) -> None:
        self._connect = connect
        self._swarms: Swarms | None = None
        self.trouble = ""

    def look(self) -> Swarm | None:
        try:
            self._swarms = self._swarms or self._connect()
            return self._swarms.snapshot()
        except SwarmctlError as error:
            self._swarms, self.trouble = None, error.message
            return None
