"""Tab completes commands, options and names, at once and without asking anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl import known_names
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.limits import Guard
from swarmctl.stack.render.stack_files import TEMPLATE
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import node, service

# Rich strips markup from the help texts that zsh and fish show; bash has none.
HEAVY = "{'boto3', 'docker', 'paramiko', 'matplotlib', 'moto', 'rich', 'jinja2', 'yaml', 'msgspec'}"
PROGRAM = (
    "import atexit, sys; from swarmctl.cli.main import main\n"
    f"atexit.register(lambda: print(*({HEAVY} & set(sys.modules)), file=sys.stderr))\n"
    "sys.exit(main(sys.argv[1:]))"
)


def named(hostname: str, zone: str = "eu-1a") -> Node:
    return replace(node("wkr1"), hostname=hostname, labels={"az": zone})


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with two clusters, one of which has been looked at."""
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    monkeypatch.delenv("SWARMCTL_CLUSTER", raising=False)
    for name in ("swarm_app", "other"):
        (tmp_path / "clusters" / name).mkdir(parents=True)
    nodes = tuple(named(f"swarm_app_{short}") for short in ("mgr1", "wkr1", "wkr2"))
    web = replace(service("web", 1), labels={"com.docker.stack.namespace": "three_tier"})
    known_names.remember("swarm_app", Swarm(nodes, (web,), ()))
    return tmp_path


def offered(line: str, shell: str = "bash", **environment: str) -> list[str]:
    """What Tab offers at the end of a line; fails if a heavy library was imported for it."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "_SWARMCTL_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            **environment,
        },
    )
    if shell == "bash":
        assert done.stderr.strip() == ""
    assert done.returncode == 0
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("swarmctl st", ["status", "stack"]),
        ("swarmctl chaos rev", ["revert"]),
        ("swarmctl chaos run drain --overr", ["--override"]),
        ("swarmctl status --cluster ", ["other", "swarm_app"]),
        ("swarmctl chaos predict --lose swarm_app_w", ["swarm_app_wkr1", "swarm_app_wkr2"]),
        (
            "swarmctl chaos predict --lose swarm_app_wkr1,swarm_app_m",
            ["swarm_app_wkr1,swarm_app_mgr1"],
        ),
        ("swarmctl chaos predict --az e", ["eu-1a"]),
        ("swarmctl chaos run drain --target l", ["leader"]),
        ("swarmctl chaos run drain --probe-service w", ["web"]),
        ("swarmctl rebalance --service w", ["web"]),
        ("swarmctl stack rm t", ["three_tier"]),
        ("swarmctl stack deploy three", ["three_tier"]),
        ("swarmctl rebalance --cluster other --service w", []),
    ],
)
def test_tab_offers_what_fits(line: str, values: list[str]) -> None:
    assert offered(line) == values


def test_faults_and_guards_are_offered_without_importing_them_all() -> None:
    assert offered("swarmctl chaos run ") == sorted(FAULTS)
    assert offered("swarmctl chaos run drain --override ") == list(Guard)


def test_runs_are_offered_the_newest_first(tmp_path: Path) -> None:
    for name in ("20260101-000000-drain", "20260102-000000-drain"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "journal.json").touch()
    line = f"swarmctl chaos report --runs-dir {tmp_path / 'runs'} 2026"
    assert offered(line) == ["20260102-000000-drain", "20260101-000000-drain"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_too(shell: str) -> None:
    assert "swarm_app_wkr2" in "".join(offered("swarmctl chaos predict --lose swarm", shell))


def test_a_name_that_a_shell_would_run_is_never_offered(state: Path) -> None:
    """zsh evaluates what a completion prints, and anybody names a node."""
    bad = ("$(reboot)", "`reboot`", "a b", "'", "-rf", "x;y", "../up")
    known_names.remember("swarm_app", Swarm(tuple(map(named, (*bad, "good"))), (), ()))
    assert known_names.known("nodes") == ["good"]
    (state / "clusters" / "swarm_app" / "names.json").write_text('{"nodes": ["$(reboot)", 7]}')
    assert known_names.known("nodes") == []


def test_a_folder_with_a_name_that_a_shell_would_run_is_never_offered(tmp_path: Path) -> None:
    """Runs and stacks come with a checkout or an archive of somebody else."""
    for name in ("\\$(reboot)", "`reboot`", "good"):
        for file in (Path("runs", name, "journal.json"), Path("stacks", name, TEMPLATE)):
            (tmp_path / file).parent.mkdir(parents=True)
            (tmp_path / file).touch()
    report = f"swarmctl chaos report --runs-dir {tmp_path / 'runs'} "
    assert offered(report) == ["good"]
    stacks = {"SWARMCTL_STACKS": str(tmp_path / "stacks")}
    assert offered("swarmctl stack deploy ", "bash", **stacks) == ["good"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"nodes": "wkr1"}', "\x00"])
def test_a_broken_file_of_names_offers_nothing(state: Path, text: str) -> None:
    (state / "clusters" / "swarm_app" / "names.json").write_text(text)
    assert known_names.known("nodes") == []


def test_names_of_a_cluster_that_is_not_known_are_not_kept(state: Path) -> None:
    swarm = Swarm((named("elsewhere"),), (), ())
    known_names.remember("", swarm)
    known_names.remember("torn_down", swarm)
    assert "elsewhere" not in known_names.known("nodes")
    assert not (state / "clusters" / "torn_down").exists()
