"""A fault's context without a run: without any world, or on the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from swarmctl.chaos.fault.fault import FaultContext
from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.journal.journal import Mark, TargetRecord
from tests.unit.chaos.simulated_swarm import Clock, Lab, workers


def bare(**options: object) -> FaultContext:
    nothing = cast("None", object())
    made = FaultContext(*[nothing] * 7)  # type: ignore[arg-type]  # none of these is used
    return replace(
        made,
        run_id="20260102-030405-x",
        ttl_s=90.0,
        status=lambda text: None,
        mark=lambda kind, text, at=None, silenced="": None,
        options=Options(**options),  # type: ignore[arg-type]  # its own fields
    )


@dataclass
class Beside:
    """One fault on the simulated cluster, without a run around it: what it marked and awaited."""

    lab: Lab = field(default_factory=lambda: Lab(Clock(), workers(3), []))
    marks: list[Mark] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    checks: int = 0

    def context(self, **options: object) -> FaultContext:
        return FaultContext(
            self.lab,
            self.lab,
            self.lab.engine,
            self.lab.clock,
            self._check,
            self.shown.append,
            self._mark,
            Options(**options),  # type: ignore[arg-type]  # its own fields
            "20260102-030405-x",
            90.0,
        )

    @property
    def now(self) -> float:
        return self.lab.clock.now()

    def texts(self, *kinds: str) -> list[str]:
        return [mark.text for mark in self.marks if not kinds or mark.kind in kinds]

    def _check(self) -> None:
        self.checks += 1

    def _mark(self, kind: str, text: str, at: float | None = None, silenced: str = "") -> None:
        self.marks.append(Mark(self.now if at is None else at, kind, text, silenced))


def target(name: str) -> TargetRecord:
    return TargetRecord(name, f"id-{name}", "worker", f"i-{name}")
