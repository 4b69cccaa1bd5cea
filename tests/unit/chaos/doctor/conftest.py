"""The place that every test of the doctor examines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.journal.runs import Runs
from tests.unit.chaos.doctor.place import Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    here = Place(tmp_path)
    here.access = replace(here.access, runs=Runs(Path("runs")))
    here.runs = here.access.runs
    return here
