"""A simulated cluster to be examined, and journals of runs that were killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from swarmctl import wait
from swarmctl.chaos.doctor import repair
from swarmctl.chaos.doctor.collect import Access, collect
from swarmctl.chaos.doctor.evidence import Evidence
from swarmctl.chaos.doctor.examine import examine
from swarmctl.chaos.doctor.findings import (
    Finding,
    Repair,
    repairs,
)
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.journal.journal import Journal, TargetRecord, Undo, UndoStep
from swarmctl.chaos.journal.runs import Runs, brief
from swarmctl.swarm import lock
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.simulated_swarm import START as NOW
from tests.unit.chaos.simulated_swarm import Clock, Lab, service, workers

RUN = "20260102-030000-instance-stop"
ELSEWHERE = lock.Owner("ann", "laptop", 7, f"chaos {RUN}")
QUIET = "now\t1767323045\ntimers\t[]\nengine\tactive\nend\t.\n"


def pending(
    action: str = UndoAction.START_INSTANCE,
    name: str = "wkr2",
    run: str = RUN,
    node_id: str = "",
    state: str = "planned",
    cluster: str = "swarm_app",
) -> Journal:
    ids = (node_id or f"id-{name}", f"i-{name}")
    return Journal(
        id=run,
        experiment=run[16:],
        cluster=cluster,
        region="eu-central-1",
        started_at=NOW.isoformat(),
        parameters={},
        hypothesis="",
        targets=(TargetRecord(name, ids[0], "worker", ids[1]),),
        undo=Undo(state, (UndoStep(action, name, *ids, "by hand"),)),
    )


class Place:
    """A simulated cluster, a runs directory, and what the doctor says of them."""

    def __init__(self, root: Path) -> None:
        self.lab = Lab(Clock(), workers(3), [service("web", 2)])
        self.lab.answers = {"say end": QUIET}
        self.lab.engine.time = NOW.isoformat()
        self.runs = Runs(root / "runs")
        self.done: list[str] = []
        self.access = Access(
            self.runs,
            SimulatedCluster(self.lab),
            clock=wait.Clock(self.lab.clock.now, self.lab.clock.pause),
        )

    def locked(
        self, owner: lock.Owner = ELSEWHERE, age_s: float = 10.0, plan: Journal | None = None
    ) -> str:
        """The chaos lock was taken some seconds ago, for a minute."""
        engine = self.lab.engine
        lock_id = lock.acquire(engine, lock.CHAOS, 60, owner, brief(plan) if plan else None)
        taken = (NOW - timedelta(seconds=age_s)).isoformat()
        engine.store["configs"][lock_id]["CreatedAt"] = taken
        return lock_id

    def evidence(self) -> Evidence:
        return collect(self.access, NOW)

    def findings(self) -> tuple[Finding, ...]:
        return examine(self.evidence())

    def repair(self, one: Repair, pause: Callable[[float], None] = time.sleep) -> None:
        assert self.access.cluster is not None
        repair.make(one, self.access.cluster, self, pause)

    def revert(self, run_id: str) -> None:
        self.done.append(f"revert {run_id}")

    def revert_from_swarm(self) -> None:
        self.done.append("from swarm")

    def fix(self) -> tuple[Finding, ...]:
        for one in repairs(self.findings()):
            self.repair(one)
        return self.findings()


def only(findings: tuple[Finding, ...], where: str) -> Finding:
    (found,) = [f for f in findings if f.place == where]
    return found
