"""``swarmctl chaos revert``: undo from the journal alone, in another process and another time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from swarmctl.chaos.fault.fault import FaultContext
from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.faults import FAULTS, make_fault
from swarmctl.chaos.journal.journal import Journal, Mark
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run import undo
from swarmctl.chaos.world.protocols import Clock, Ec2, Managers, Progress, Shell
from swarmctl.errors import SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import ManagerError

T = TypeVar("T")


def revert(
    journal: Journal,
    runs: Runs,
    ec2: Ec2,
    shell: Shell,
    connect: Callable[[], Managers],
    clock: Clock,
    progress: Progress,
) -> None:
    """Carry out a run's undo plan, as far as it is not carried out.

    Args:
        journal: the run; nothing happens if it has nothing left to undo.
        runs: where the journal is kept.
        ec2: the machines.
        shell: commands on them.
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

    options = Options.of(journal.parameters)
    kind = FAULTS[journal.experiment].with_options(options)
    context = FaultContext(
        ec2=ec2,
        shell=shell,
        engine=managers,
        clock=clock,
        check=lambda: None,
        status=status,
        mark=mark,
        options=options,
        run_id=journal.id,
    )
    undo.carry_out(
        journal,
        undo.Undoing(
            fault=make_fault(kind.name, context),
            effect=kind.effect,
            look=managers.look,
            why_blind=lambda: managers.trouble,
            clock=clock,
            status=status,
            mark=mark,
            save=lambda: runs.save(journal),
        ),
    )
    _release(managers, journal, progress)
    # Whatever it found before, it was not seen to its end.
    journal.outcome, journal.phase = "interrupted", "ended"
    journal.ended_s = round(clock.now() + offset, 3)
    journal.phases = phases(journal)
    runs.save(journal)


def _release(engine: Engine, journal: Journal, progress: Progress) -> None:
    """Give up the Swarm's chaos lock, if it is this run's."""
    try:
        found = lock.find(engine, lock.CHAOS)
        if found is not None and (found.plan or {}).get("id") == journal.id:
            lock.release(engine, found.id)
    except SwarmctlError as fault:
        progress.note(f"the Swarm's chaos lock stays: {fault.message}")


class _Managers:
    """Asks the managers, and looks for them anew when none answers. An ``Engine``, too."""

    def __init__(self, connect: Callable[[], Managers]) -> None:
        self._connect = connect
        self._swarms: Managers | None = None
        self.trouble = ""

    def look(self) -> Swarm | None:
        try:
            return self.snapshot()
        except SwarmctlError as error:
            self.trouble = error.message
            return None

    def snapshot(self) -> Swarm:
        return self._ask(lambda swarms: swarms.snapshot())

    def get(self, path: str, **filters: list[str]) -> Any:
        return self._ask(lambda swarms: swarms.engine.get(path, **filters))

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self._ask(lambda swarms: swarms.engine.send(method, path, body, **options))

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        return self._ask(lambda swarms: swarms.engine.text(path, params, limit))

    def _ask(self, question: Callable[[Managers], T]) -> T:
        self._swarms = self._swarms or self._connect()
        try:
            return question(self._swarms)
        except ManagerError:
            self._swarms = None
            raise
