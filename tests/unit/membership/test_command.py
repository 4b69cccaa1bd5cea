"""``swarmctl node remove`` and ``reap``: what is printed, and the exit codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pytest

from swarmctl import cluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.cloud.instances import Instance
from swarmctl.moves import context
from swarmctl.swarm import engine
from swarmctl.swarm.ssh import Endpoint
from tests.unit.membership.test_remove import Members
from tests.unit.moves.test_node_command import Target as OneManager


@dataclass
class Target(OneManager):
    """Three managers."""

    endpoints: tuple[Endpoint, ...] = tuple(
        Endpoint(f"10.0.0.{n}", name=f"m{n}") for n in (1, 2, 3)
    )
    cluster: str = ""
    instances: tuple[Instance, ...] = ()
    used: list[str] = field(default_factory=list)

    def failover(self) -> Target:
        self.used[:] = [e.name for e in self.endpoints]
        return self


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    found = Target()
    monkeypatch.setattr(cluster, "resolve", lambda *_: found)
    return found


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, target: Target) -> Members:
    found = Members()
    monkeypatch.setattr(engine, "SwarmEngine", lambda _: found)
    monkeypatch.setattr(context, "Context", partial(context.Context, clock=found.clock))
    console.out.cache_clear()
    console.err.cache_clear()
    return found


def test_a_manager_leaves_by_way_of_those_that_stay(
    fake: Members, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken: the connection ends with the manager that is removed."""
    assert main(["node", "remove", "m1", "--yes"]) == 0
    assert target.used == ["m2", "m3"]
    printed = capsys.readouterr().out
    assert "m1 is the leader: another one is elected" in printed
    assert "managers: 3 → 2; then none of them may fail" in printed
    assert "m1 (id-m1): removed from the Swarm" in printed
    assert fake.done == ["demote m1", "rm m1"]


def test_a_dry_run_is_refused_where_a_run_would_be_and_touches_nothing(
    fake: Members, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["node", "remove", "m1", "m2", "--dry-run"]) == 0
    assert main(["node", "remove", "m1", "m2", "m3", "--dry-run"]) == 3
    assert "m1 is the last manager" in capsys.readouterr().err
    assert not any(request.startswith(("POST", "DELETE")) for request in fake.sent)


def test_a_node_that_is_none_is_an_error_unless_it_may_be_gone(
    fake: Members, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["node", "remove", "nobody", "--yes"]) == 2
    assert main(["node", "remove", "nobody", "--yes", "--absent-ok"]) == 0
    assert "nobody: not in the Swarm" in capsys.readouterr().out
    assert main(["node", "remove", "a"]) == 2


def test_reaping_says_of_every_node_that_is_down_why_it_goes_or_stays(
    fake: Members, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        machine = fake.store["nodes"][f"id-{name}"]
        machine["Status"]["State"] = "down"
        machine["UpdatedAt"] = "2026-01-01T00:00:00Z"
    target.instances = (Instance("i-b", "b", "worker", "stopped", "10.9.9.9", "", "", "", "x"),)
    assert main(["node", "reap", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert "a (id-a) is down, may go: no instance has its name" in printed
    assert "b (id-b) is down, stays: its instance i-b is stopped" in printed
    assert fake.done == ["rm a"]
