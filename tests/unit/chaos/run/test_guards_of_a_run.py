"""Guards in a run: which faults they are for, and that they are checked again before the fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.plan.limits import OVERRIDABLE, Guard, Limits
from swarmctl.chaos.run.guards import PROTECT_LABEL
from swarmctl.errors import RefusedError
from tests.unit.chaos.simulated_swarm import Lab, node, service
from tests.unit.chaos.stage import Stage, stage

ON = {PROTECT_LABEL: "true"}


def label(lab: Lab) -> None:
    lab.nodes = [replace(n, labels=ON) if n.hostname == "wkr2" else n for n in lab.nodes]


def lose_manager(lab: Lab) -> None:
    lab.set_node("mgr1", "down")


def leave(lab: Lab) -> None:
    lab.nodes = [n for n in lab.nodes if n.hostname != "wkr2"]


def protect_service(lab: Lab) -> None:
    lab.services = [replace(s, labels=ON) for s in lab.services]


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (label, "guard protected (wkr2: label swarmctl.protect=true)"),
        (protect_service, "guard protected (service web (replicas on wkr2)"),
        (lose_manager, "guard swarm-healthy (node mgr1 is down)"),
        (lambda lab: lab.states.update(wkr2="stopping"), "guard instance (wkr2"),
        (leave, "guard possible (wkr2 is gone)"),
    ],
)
def test_what_changes_while_the_user_is_asked_is_judged(
    tmp_path: Path, change: Callable[[Lab], None], guard: str
) -> None:
    s = stage(tmp_path, services=[service("web", 6)], consent=lambda lines: change(s.lab))
    with pytest.raises(RefusedError) as caught:
        s.experiment.run()
    assert guard in caught.value.message
    assert s.lab.log == []
    assert s.experiment.journal.outcome == "refused"
    assert s.experiment.journal.undo.steps == ()
    assert not s.lab.engine.store["configs"]  # the chaos lock is free again


def test_a_target_that_became_another_machine_is_refused(tmp_path: Path) -> None:
    """Broken: the machine that has the name now is stopped, though another one was agreed to."""

    def swap(lines: object) -> None:
        old = s.lab.instances
        s.lab.instances = lambda cluster: [  # type: ignore[method-assign]  # a new machine
            replace(box, id="i-new") if box.name == "wkr2" else box  # type: ignore[type-var]  # a Box
            for box in old(cluster)
        ]

    s = stage(tmp_path, consent=swap)
    with pytest.raises(RefusedError, match="wkr2 is another machine now: i-new, was i-wkr2"):
        s.experiment.run()
    assert s.lab.log == []


def protected_db(root: Path, fault: str, **more: object) -> Stage:
    services = [service("web", 6), service("db", 1, labels=ON)]
    s = stage(root, services=services, pinned={"db": "wkr2"}, fault=fault, **more)  # type: ignore[arg-type]  # its own options
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes
    return s


@pytest.mark.parametrize(
    ("fault", "target", "refused"),
    [
        ("instance-stop", "wkr2", True),
        ("instance-stop", "wkr1", False),
        ("drain", "wkr2", True),
        ("engine-kill", "wkr2", True),
        ("engine-pause", "wkr2", True),
        ("partition", "wkr2", True),
        ("cpu", "wkr2", False),
        ("loss", "wkr2", False),
    ],
)
def test_a_protected_service_keeps_faults_away_that_would_stop_a_replica(
    tmp_path: Path, fault: str, target: str, refused: bool
) -> None:
    journal = protected_db(tmp_path, fault, targets=(target,)).experiment.rehearse()
    (guard,) = (g for g in journal.guards if g.name is Guard.PROTECTED)
    assert guard.ok is not refused
    assert not refused or guard.detail.startswith("service db (replicas on wkr2): label")


@pytest.mark.parametrize(
    ("fault", "judged"),
    [
        ("instance-stop", True),
        ("instance-reboot", True),
        ("engine-pause", True),
        ("partition", True),
        ("loss", True),
        ("latency", True),
        ("cpu", False),
        ("drain", False),
    ],
)
def test_quorum_is_judged_for_every_fault_that_may_take_a_vote(
    tmp_path: Path, fault: str, judged: bool
) -> None:
    nodes = [node("mgr1", "manager"), node("wkr1"), node("wkr2")]
    s = stage(tmp_path, fault=fault, targets=("mgr1",), nodes=nodes)
    s.lab.engine.snapshot = s.lab.snapshot  # type: ignore[method-assign]  # this Swarm's nodes
    refused = [g.name for g in s.experiment.rehearse().refusals]
    assert (Guard.QUORUM in refused) is judged


def test_an_ambiguous_machine_is_never_hit(tmp_path: Path) -> None:
    """Broken: --override instance, and the first of two machines with that name is stopped."""
    assert Guard.INSTANCE not in OVERRIDABLE
    s = stage(tmp_path, limits=Limits(overrides=frozenset(OVERRIDABLE)))
    old = s.lab.instances
    s.lab.instances = lambda cluster: [*old(cluster), replace(old(cluster)[2], id="i-twin")]  # type: ignore[method-assign,type-var]  # a Box
    with pytest.raises(RefusedError, match="wkr2 is ambiguous: i-wkr2, i-twin"):
        s.experiment.run()
    assert s.lab.log == []
    assert s.experiment.journal.targets[0].instance_id == ""
