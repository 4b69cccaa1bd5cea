"""Runs to report on: from the simulated Swarm; what it cannot simulate is put in by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.journal.journal import Journal, TaskRecord
from swarmctl.errors import SwarmctlError
from swarmctl.prediction.prediction import Loss, Outcome, Prediction
from swarmctl.swarm.model import Port
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import node, service, workers
from tests.unit.chaos.stage import Stage, stage

WEB = service("web", 10, ports=(Port("tcp", 8080, 80, "ingress"),))
SERVICES = [WEB, service("api", 4), service("db", 1)]
BEFORE = {
    "web": {"wkr1": 4, "wkr2": 3, "wkr3": 3},
    "api": {"wkr1": 1, "wkr2": 2, "wkr3": 1},
    "db": {"wkr3": 1},
}


def prediction(*web: dict[str, int], exhaustive: bool = True) -> Prediction:
    """A prediction with these outcomes for web; wkr2 is lost, api and db have one outcome."""
    others = {"api": {"wkr1": 2, "wkr3": 2}, "db": {"wkr3": 1}}
    return Prediction(
        loss=Loss(("wkr2",), {}, {}, {}, quorum=True, leader=False),
        before=BEFORE,
        outcomes=tuple(Outcome({"web": one, **others}, {}) for one in web),
        exhaustive=exhaustive,
    )


def node_loss(root: Path, *, lossy: bool = False, **options: Any) -> Stage:
    """wkr2 of three dies; ``lossy``: probes are lost until that is noticed."""
    options.setdefault("services", SERVICES)
    s = stage(root, **options)
    if lossy:
        s.prober.silent = lambda place: 5 < s.clock.now() < 16 and place.node == "wkr1"
    return s


def lost_node(root: Path, **options: Any) -> Journal:
    return node_loss(root, **options).experiment.run()


def drained(root: Path) -> Journal:
    return node_loss(root, fault="drain").experiment.run()


def killed_tasks(root: Path) -> Journal:
    s = node_loss(root, fault="task-kill", selection=Selection(service="web", count=2, seed=1))
    s.lab.tasks = [replace(t, container_id=f"c-{t.id}") for t in s.lab.tasks]

    def die() -> None:
        s.lab.end_tasks([t.id for t in s.lab.tasks if f"c-{t.id}" in s.lab.log[-1]])

    s.lab.hooks["run"] = die
    return s.experiment.run()


def lost_leader(root: Path) -> Journal:
    """Ten seconds without an answer, then some in which the new leader hears of every node."""
    nodes: list[Node] = [*(node(f"mgr{i}", "manager") for i in (1, 2, 3)), *workers(3)[1:]]
    s = node_loss(root, nodes=nodes, fault="leader-kill", selection=Selection(leader=True))

    def blind() -> None:
        s.lab.fail["snapshot"] = SwarmctlError("no manager answers: rpc error: no leader")
        s.clock.at(s.clock.now() + 10, doubtful)

    def doubtful() -> None:
        s.lab.fail.clear()
        for index, name in enumerate(("wkr1", "wkr2", "wkr3")):
            s.lab.set_node(name, "unknown")
            s.clock.at(
                s.clock.now() + 4 + index,
                lambda name=name: s.lab.set_node(name, "ready"),  # type: ignore[misc]  # a default is no type
            )

    s.clock.at(2.5, blind)
    return s.experiment.run()


def partitioned(root: Path) -> Journal:
    """A lost node whose containers ran on, and served: what the managers see is the same."""
    journal = lost_node(root)
    journal.experiment = "partition"
    journal.marks = [replace(mark, silenced="") for mark in journal.marks]
    first = journal.samples[0]
    journal.samples = [
        replace(first, at_s=s.at_s) if s.states == first.states and s.nodes["wkr2"] == 0 else s
        for s in journal.samples
    ]
    journal.duplicates = {"web": 3, "api": 1}
    return journal


def under_pressure(root: Path) -> Journal:
    """Nothing is lost: the Swarm was whole all the time."""
    journal = drained(root)
    first = journal.samples[0]
    fault = journal.moment("fault") or 0.0
    journal.experiment = "cpu"
    journal.samples = [first]
    journal.tasks = ()
    journal.after = journal.final = journal.before
    marks = [mark for mark in journal.marks if mark.kind in ("fault", "revert", "reverted")]
    whole = replace(marks[0], at_s=fault + 0.2, kind="redistributed", text="at full strength")
    journal.marks = [marks[0], whole, *marks[1:]]
    assert journal.verdict is not None
    still = tuple(replace(s, lost=0, stayed=s.wanted, replaced=0) for s in journal.verdict.services)
    journal.verdict = replace(journal.verdict, services=still)
    return journal


def by_hand(**changes: Any) -> Journal:
    """The least that is a run."""
    fields: dict[str, Any] = {
        "id": "20260102-030405-instance-stop",
        "experiment": "instance-stop",
        "cluster": "swarm_app",
        "region": "eu-central-1",
        "started_at": "2026-01-02T03:04:05.000+00:00",
        "parameters": {},
        "hypothesis": "within 120 s everything serves",
    }
    return Journal(**{**fields, **changes})


def started(name: str, assigned: float, running: float) -> TaskRecord:
    """A replacement."""
    return TaskRecord(
        name, "web", 1, "wkr1", "running", assigned, assigned, running, replacement=True
    )
