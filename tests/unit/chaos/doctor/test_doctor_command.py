"""``swarmctl chaos doctor``: exit codes, table and JSON."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos import experiments
from swarmctl.chaos.doctor.collect import collect
from swarmctl.chaos.experiments import Experiments
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.world.live import LiveCluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.errors import SwarmctlError
from tests.unit.chaos.doctor.place import RUN, Place, pending
from tests.unit.chaos.simulated_swarm import START as NOW


@pytest.fixture
def wired(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    console.out.cache_clear()
    monkeypatch.setattr(LiveCluster, "find", lambda cluster, region: place.access.cluster)
    monkeypatch.setattr(experiments, "collect", lambda access: collect(access, NOW))
    return place


def test_nothing_is_0_and_said_in_one_line(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chaos", "doctor"]) == 0
    said = capsys.readouterr().out
    assert said == "nothing left behind on 4 nodes, in the Swarm and in runs/\n"


def test_findings_are_1_grouped_by_place_with_their_commands(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.lab.set_availability("wkr1", "drain")
    wired.lab.states["wkr1"] = "stopped"
    assert main(["chaos", "doctor"]) == 1
    said = capsys.readouterr().out
    assert sum(line.startswith(" wkr1 ") for line in said.splitlines()) == 1
    assert "→ docker node update --availability active id-wkr1" in said
    assert said.endswith("0 errors, 2 warnings; --fix repairs 0 of them\n")


def test_what_is_mended_is_0_and_found_no_more(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.locked(age_s=100)
    assert main(["chaos", "doctor", "--fix", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["findings"] == said["failed"] == []
    assert len(said["mended"]) == 1
    assert main(["chaos", "doctor", "--fix"]) == 0


def test_what_cannot_be_mended_stays_and_hinders_nothing_else(
    wired: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wired.runs.save(pending())
    wired.locked(age_s=100)

    def fails(this: Experiments, journal: Journal, consent: object) -> None:
        raise SwarmctlError("no capacity")

    monkeypatch.setattr(Experiments, "_revert", fails)
    assert main(["chaos", "doctor", "--fix"]) == 1
    said = capsys.readouterr()
    assert f"revert {RUN}: no capacity" in said.err
    assert said.out.endswith(
        "1 repaired, 1 failed; 1 error, 0 warnings left; "
        "--fix repairs only what a run's plan or undo script accounts for\n"
    )


def test_json_has_what_other_programs_need(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.runs.save(pending())
    assert main(["chaos", "doctor", "--format", "json"]) == 1
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["nodes"] == ["mgr1", "wkr1", "wkr2", "wkr3"]
    (found,) = said["findings"]
    assert datetime.fromisoformat(found.pop("since")) == NOW
    assert found == {
        "place": "runs/",
        "severity": "error",
        "what": f"{RUN} is not undone: instance-stop of wkr2",
        "mend": f"swarmctl chaos revert {RUN}",
        "fixable": True,
    }


def test_no_region_is_a_finding_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.out.cache_clear()
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert main(["chaos", "doctor", "--runs-dir", str(tmp_path)]) == 1
    assert "no AWS region is set" in capsys.readouterr().out
