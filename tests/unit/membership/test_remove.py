"""Each step of a removal can be stopped and repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from swarmctl.chaos.run.interrupts import InterruptedRunError
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.membership.plan import entries, plan_removal
from swarmctl.membership.remove import remove
from swarmctl.swarm.node import Node
from swarmctl.swarm.snapshot import read_swarm
from tests.unit.engine_json import node
from tests.unit.moves.fake_swarm import DrainSwarm, context
from tests.unit.rebalance.fake_swarm import FakeSignals, StoppedError


@dataclass
class Members(DrainSwarm):
    """Managers ``m1`` (the leader), ``m2``, ``m3``; a demoted one leaves Raft after a while."""

    raft_s: float = 3.0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("m1", "m2", "m3"):
            raw = node(name, "manager", leader=name == "m1")
            self.machines.append(raw | {"Version": {"Index": 1}})
        super().__post_init__()

    def _update(self, kind: str, entry: Any, spec: Any, params: Mapping[str, str]) -> Any:
        demoted = kind == "nodes" and entry["Spec"]["Role"] != spec["Role"]
        answer = super()._update(kind, entry, spec, params)
        if demoted:
            name = entry["Description"]["Hostname"]
            self.done.append(f"demote {name}")
            self.events.append((self.now + self.raft_s, lambda: entry.pop("ManagerStatus")))
        return answer

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        if method == "DELETE" and path.startswith("/nodes/"):
            gone = self.store["nodes"][path.removeprefix("/nodes/")]
            assert "ManagerStatus" not in gone, "a member of Raft was removed"
            self.machines.remove(gone)
            self.done.append(f"rm {gone['Description']['Hostname']}")
        return super().send(method, path, body, **more)

    def leave(self, member: Node) -> str:
        self.done.append(f"leave {member.name}")
        return ""


def run(
    fake: Members,
    *names: str,
    signals: FakeSignals | None = None,
    leave: Any = None,
    force: bool = False,
) -> None:
    swarm = read_swarm(fake)
    plan = plan_removal(swarm, entries(swarm, names, absent_ok=True))
    assert plan.refusals == ()
    remove(plan, context(fake, signals=signals), leave or fake.leave, force=force)


def test_managers_leave_one_at_a_time_and_only_when_raft_does_not_have_them() -> None:
    fake = Members()
    run(fake, "m1", "m2", "c")
    of_m2, of_m1 = (("demote " + m, "leave " + m, "rm " + m) for m in ("m2", "m1"))
    assert fake.done == ["leave c", "rm c", *of_m2, *of_m1]
    assert fake.availability("m3") == "active"


def test_a_machine_that_cannot_be_reached_is_removed_all_the_same() -> None:
    def silent(member: Node) -> str:
        raise SwarmctlError(f"{member.name} does not answer")

    fake = Members()
    run(fake, "b", leave=silent)
    assert fake.done == ["rm b"]


def test_a_signal_while_a_machine_leaves_ends_the_removal() -> None:
    """Broken: Ctrl-C is taken for a machine that does not answer, whose entry then goes."""
    fake, signals = Members(), FakeSignals()

    def interrupted(member: Node) -> str:
        signals.came = True
        raise InterruptedRunError(f"interrupted while {member.name} left")

    with pytest.raises(StoppedError):
        run(fake, "b", leave=interrupted, signals=signals)
    assert fake.done == []


def test_a_drain_that_does_not_end_stops_the_removal_unless_it_is_forced() -> None:
    """Broken: a machine that is too sick to stop its tasks can never be replaced."""
    fake = Members(starts=None)
    fake.have("web", {"a": 1, "b": 1})
    with pytest.raises(DeadlineExceededError):
        run(fake, "a")
    assert fake.done == []
    run(fake, "a", force=True)
    assert fake.done == ["leave a", "rm a"]


@pytest.mark.parametrize("after", [0.1, 1.0, 3.0, 4.0, 6.0])
def test_a_removal_that_was_stopped_goes_on_when_it_is_repeated(after: float) -> None:
    fake, signals = Members(), FakeSignals()
    fake.events.append((after, lambda: setattr(signals, "came", True)))
    try:
        run(fake, "m1", "m2", signals=signals)
    except StoppedError:
        signals.came = False
        run(fake, "m1", "m2")
    assert {m["Description"]["Hostname"] for m in fake.machines} == {"a", "b", "c", "m3"}
    assert fake.done.count("demote m1") == fake.done.count("demote m2") == 1
