"""``swarmctl rebalance``: what is printed, and the exit codes."""

from __future__ import annotations

import json
from functools import partial

import pytest

from swarmctl import cluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.moves import context
from swarmctl.swarm import engine, lock
from tests.unit.rebalance.fake_swarm import FakeSwarm


class Target:
    """A Swarm that can be connected to."""

    cluster = ""

    def failover(self) -> Target:
        return self

    def shell(self) -> None:
        """No node is asked."""

    def client(self) -> None:
        """It answers."""

    def cluster_id(self) -> str:
        return "swarm1"

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *fault: object) -> None:
        return None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSwarm:
    """The command acts on a Swarm in memory, in which time passes by itself."""
    found = FakeSwarm()
    found.have("web", {"a": 5, "b": 5}, stack="shop")
    found.have("db", {"a": 1})

    monkeypatch.setattr(cluster, "resolve", lambda *_: Target())
    monkeypatch.setattr(engine, "SwarmEngine", lambda _: found)
    monkeypatch.setattr(context, "Context", partial(context.Context, clock=found.clock))
    console.out.cache_clear()
    console.err.cache_clear()
    return found


def test_without_an_answer_it_is_a_usage_error(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebalance"]) == 2
    assert "--dry-run or --yes" in capsys.readouterr().err
    assert main(["rebalance", "--dry-run", "--yes"]) == 2


def test_a_dry_run_shows_the_moves_and_touches_nothing(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebalance", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    (row,) = [line for line in shown.splitlines() if line.startswith("web")]
    assert row.split("  ")[-1].strip() == "5 → 1"
    assert "0 → 3" in row
    assert "db: left alone: fewer than two replicas" in shown
    assert shown.rstrip().endswith("3 replicas to move")
    assert fake.sent == []


def test_its_lock_is_renewed_so_that_others_see_it_live(
    fake: FakeSwarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: after kill -9 elsewhere, the lock holds for as long as all moves may last."""
    renewed: list[bool] = []
    monkeypatch.setattr(lock, "renewing", lambda *_: lambda: renewed.append(True))
    held: list[lock.Lock | None] = []
    fake.events.append((0.5, lambda: held.append(lock.find(fake, lock.CHAOS))))
    assert main(["rebalance", "--yes"]) == 0
    assert held[0] is not None
    assert held[0].renewed is not None
    assert renewed == [True, True]  # begun and ended: the Swarm's lock, and the stack's


def test_yes_moves_with_a_line_for_each_move(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebalance", "--yes", "--format", "json"]) == 0
    seen = capsys.readouterr()
    (db, web) = json.loads(seen.out)["services"]
    assert sorted(web["after"].values()) == [3, 3, 4]
    assert (web["spread_before"], web["spread_after"]) == (5, 1)
    assert (web["moved"], web["least_running"], web["problem"]) == (3, 10, None)
    assert db["left_alone"] is True
    assert seen.err.count("web: moved one from") == 3


def test_what_cannot_be_finished_exits_1_and_what_is_even_0(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.target = "nowhere"
    assert main(["rebalance", "--yes"]) == 1
    assert "web: not finished: no room for one more" in capsys.readouterr().out
    fake.target = ""
    assert main(["rebalance", "--yes"]) == 0
    assert main(["rebalance", "--yes"]) == 0
    assert "nothing to move" in capsys.readouterr().out


def test_one_replica_too_many_exits_4_with_what_to_type(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.starts = None
    assert main(["rebalance", "--yes", "--timeout", "5"]) == 4
    assert "docker service scale --detach web=10" in capsys.readouterr().err


def test_a_node_that_is_down_or_an_experiment_is_refused(fake: FakeSwarm) -> None:
    owner = lock.Owner("ann", "laptop", 7, "chaos")
    held = lock.acquire(fake, lock.CHAOS, 600, owner)
    assert main(["rebalance", "--dry-run"]) == 3
    lock.release(fake, held)
    fake.machines[2]["Status"]["State"] = "down"
    assert main(["rebalance", "--yes"]) == 3


def test_an_unknown_service_is_answered_with_the_known_ones(
    fake: FakeSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rebalance", "--dry-run", "--service", "wep"]) == 2
    assert "did you mean 'web'" in capsys.readouterr().err
