"""``swarmctl node drain`` and ``activate``: what is printed, and the exit codes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from swarmctl import cluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.errors import SwarmctlError
from swarmctl.moves import context
from swarmctl.swarm import engine, lock
from tests.unit.moves.fake_swarm import DrainSwarm


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
def fake(monkeypatch: pytest.MonkeyPatch) -> DrainSwarm:
    """The command acts on a Swarm in memory, in which time passes by itself."""
    found = DrainSwarm()
    found.have("web", {"a": 2, "b": 1})
    monkeypatch.setattr(cluster, "resolve", lambda *_: Target())
    monkeypatch.setattr(engine, "SwarmEngine", lambda _: found)
    monkeypatch.setattr(context, "Context", partial(context.Context, clock=found.clock))
    console.out.cache_clear()
    console.err.cache_clear()
    return found


def test_without_an_answer_it_is_a_usage_error(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["node", "drain", "a"]) == 2
    assert "--dry-run or --yes" in capsys.readouterr().err
    assert main(["node", "drain", "a", "--dry-run", "--yes"]) == 2
    assert main(["node", "drain", "nobody", "--yes"]) == 2


def test_a_dry_run_shows_what_would_move_and_touches_nothing(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["node", "drain", "a", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "drain a: 2 replicas move; 2 endpoints are withdrawn first" in printed
    assert "web" in printed
    assert not any(request.startswith("POST") for request in fake.sent)


def test_a_drain_is_done_and_undone(fake: DrainSwarm, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["node", "drain", "a", "--yes"]) == 0
    found = capsys.readouterr()
    assert "a: drained; 0 tasks left there" in found.out
    assert "2 endpoints withdrawn" in found.err
    assert fake.counts("web") == {"a": 0, "b": 2, "c": 1}
    assert main(["node", "activate", "a"]) == 0
    assert "a: active" in capsys.readouterr().out
    assert main(["node", "activate", "a"]) == 0
    assert "a: was active already" in capsys.readouterr().out


def test_what_would_be_lost_is_refused_unless_it_is_forced(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.have("pinned", {"a": 1}, constraints=["node.hostname==a"])
    assert main(["node", "drain", "a", "--dry-run"]) == 3
    assert main(["node", "drain", "a", "--yes"]) == 3
    assert "--force" in capsys.readouterr().err
    assert fake.availability("a") == "active"
    assert main(["node", "drain", "a", "--yes", "--force", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["done"]["missing"] == {"pinned": 1}
    assert found["objections"]


def test_a_drain_that_remembers_is_given_back_as_it_was(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.store["nodes"]["id-b"]["Spec"]["Availability"] = "drain"
    assert main(["node", "drain", "a", "b", "--yes", "--remember"]) == 0
    assert "b: drained; its tasks move" not in capsys.readouterr().err
    assert fake.labels("a")["swarmctl.availability-before"] == "active"
    assert fake.labels("b")["swarmctl.availability-before"] == "drain"
    assert main(["node", "activate", "a", "b", "--as-before"]) == 0
    assert "a: active\nb: drain\n" in capsys.readouterr().out
    assert (fake.availability("a"), fake.availability("b")) == ("active", "drain")


def test_a_node_that_was_drained_before_has_nothing_to_show(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.store["nodes"]["id-b"]["Spec"]["Availability"] = "drain"
    assert main(["node", "drain", "b", "--yes", "--remember"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "b: was drained before, and stays as it is" in shown.err


def test_nothing_is_noted_while_another_move_is_under_way(fake: DrainSwarm) -> None:
    """It would note what that one has set for the moment."""
    lock.acquire(fake, lock.CHAOS, 60, lock.this_process("drain"))
    assert main(["node", "drain", "a", "--yes", "--remember"]) == 3
    assert "swarmctl.availability-before" not in fake.labels("a")


def test_a_drain_that_remembers_and_fails_says_how_to_give_the_nodes_back(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SwarmctlError("the publisher failed")

    monkeypatch.setattr("swarmctl.moves.drain._drain", fail)
    assert main(["node", "drain", "a", "--yes", "--remember"]) == 1
    assert "swarmctl node activate --as-before a" in capsys.readouterr().err


def test_the_plan_of_an_upgrade_is_read_from_a_survey_and_printed(
    fake: DrainSwarm, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    survey = tmp_path / "survey.json"
    old = {"running": "20.10.24", "installed": "20.10.24-1", "target": "26.1.5-1"}
    survey.write_text(json.dumps({"a": old, "b": old | {"os_packages": 3}}))
    assert main(["upgrade", "plan", f"--survey={survey}", "--format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [step["nodes"] for step in found["steps"]] == [["a"], ["b"]]
    assert found["steps"][0]["moves"] == {"web": 2}
    assert main(["upgrade", "plan", f"--survey={survey}"]) == 0
    printed = capsys.readouterr().out
    assert found["lines"] == [line.rstrip() for line in printed.splitlines()]
    assert "1. a (Engine 20.10.24 → 26.1.5)" in printed
    assert "2. b (Engine 20.10.24 → 26.1.5, 3 other packages)" in printed
    fix = {"running": "26.1.5", "installed": "26.1.5-1", "target": "26.1.5-2"}
    silent = old | {"running": ""}
    survey.write_text(json.dumps({"a": fix, "b": silent}))
    assert main(["upgrade", "plan", f"--survey={survey}"]) == 0
    printed = capsys.readouterr().out
    assert "a (Engine 26.1.5-1 → 26.1.5-2)" in printed
    assert "b (Engine that does not answer → 26.1.5)" in printed
    assert main(["upgrade", "plan", "--survey=/nowhere"]) == 2
    assert main(["upgrade", "finish", "a"]) == 2
