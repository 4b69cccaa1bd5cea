"""``swarmctl chaos``: exit codes, and output that can't end an experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.chaos.experiments import Experiments
from swarmctl.chaos.world.live import LiveCluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.cli.show.progress import ConsoleProgress
from swarmctl.errors import SwarmctlError
from tests.unit.chaos.simulated_cluster import SimulatedCluster
from tests.unit.chaos.stage import Stage, stage


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """`chaos run` acts on the simulated Swarm."""
    s = stage(tmp_path, timeout_s=30)

    cluster = SimulatedCluster(s.lab)
    monkeypatch.setattr(LiveCluster, "find", lambda cluster_name, region: cluster)
    monkeypatch.setattr(Experiments, "_experiment", lambda *rest: s.experiment)
    return s


def run(s: Stage, *words: str) -> int:
    return main(["chaos", "run", "instance-stop", "--runs-dir", str(s.runs.root), *words])


def test_held_is_0_with_the_verdict_and_the_reports_path_on_stdout(
    simulated: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    console.out.cache_clear()
    assert run(simulated, "--target", "wkr2") == 0
    shown = capsys.readouterr().out
    assert "HELD: wkr2 was lost; 5 of 5 lost replicas run elsewhere" in shown
    path = simulated.runs.report(simulated.experiment.journal.id)
    assert shown.endswith(f"report: {path}\n")
    assert path.is_file()


def test_refuted_is_1(simulated: Stage) -> None:
    simulated.lab.reschedules = False
    assert run(simulated) == 1


def test_refused_is_3_and_leaves_no_report(simulated: Stage) -> None:
    simulated.lab.set_node("wkr1", "down")
    assert run(simulated) == 3
    assert not simulated.runs.report(simulated.experiment.journal.id).exists()


def test_a_failed_revert_is_4_and_has_a_report(simulated: Stage) -> None:
    simulated.lab.fail["start"] = SwarmctlError("InsufficientInstanceCapacity")
    assert run(simulated) == 4
    page = simulated.runs.report(simulated.experiment.journal.id).read_text()
    assert "REVERT FAILED" in page


def test_interrupted_is_130_and_has_a_report(simulated: Stage) -> None:
    simulated.clock.at(10.0, lambda: simulated.interrupts.note("SIGINT"))
    assert run(simulated) == 130
    page = simulated.runs.report(simulated.experiment.journal.id).read_text()
    assert "INTERRUPTED" in page
    assert "everything is reverted" in page


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["instance-stopp"], "did you mean instance-stop?"),
        (["instance-stop", "--target", "wkr1", "--seed", "1"], "--seed: cannot be combined"),
        (["drain", "--force"], "it takes no option"),
        (["instance-stop", "--every", "5"], "--every: needs --repeat"),
        (["instance-stop", "--target", "zone:a"], "hosts-service"),
        (["instance-terminate", "--target", "wkr1"], "pass --yes or --dry-run"),
        (["instance-stop", "--target", "service:web"], "hosts-service:web"),
        (["task-kill", "--target", "wkr1"], "service:NAME"),
        (["leader-kill", "--target", "wkr1"], "leave out the targets"),
        (["az-outage"], "--az ZONE"),
        (["instance-stop", "--timeout", "0"], "see `swarmctl chaos run --help`"),
        (["instance-stop", "--no-such-option"], "see `swarmctl chaos run --help`"),
    ],
)
def test_mistakes_in_the_command_are_2(
    words: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console.err.cache_clear()
    assert main(["chaos", "run", *words]) == 2
    assert shown in capsys.readouterr().err


def test_nothing_to_revert_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "revert", "--runs-dir", str(tmp_path)]) == 0
    assert "nothing left to undo" in capsys.readouterr().out


def test_a_closed_terminal_does_not_end_an_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        is_terminal = False

        def print(self, *arguments: object, **options: object) -> None:
            raise SystemExit(1)  # what Rich does with a broken pipe

    monkeypatch.setattr(console, "err", Gone)
    progress = ConsoleProgress()
    progress.step("Fault")
    progress.note("still here")
    progress.status("waiting")
    progress.close()


def test_a_dry_run_shows_all_and_touches_nothing(
    simulated: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    console.out.cache_clear()
    assert run(simulated, "--target", "wkr2", "--dry-run") == 0
    shown = capsys.readouterr().out
    for words in ("wkr2", "swarm-healthy", "aws ec2 start-instances", "nothing was touched"):
        assert words in shown
    assert simulated.lab.log == []
    assert simulated.runs.ids() == []


def test_a_dry_run_that_a_guard_would_refuse_is_3(simulated: Stage) -> None:
    simulated.lab.set_node("wkr1", "down")
    assert run(simulated, "--dry-run") == 3
    assert simulated.lab.log == []


def test_the_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    console.out.cache_clear()
    assert main(["chaos", "faults"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("instance-stop", "drain", "az-outage", "task-kill"))
