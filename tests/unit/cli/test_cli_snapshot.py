"""``swarmctl snapshot``: a file with the services' environment is not for everybody."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from swarmctl import cluster
from swarmctl.cli import main as cli
from swarmctl.swarm import snapshot


def test_a_snapshot_can_be_read_by_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = SimpleNamespace(connect=lambda: nullcontext(None), shell=lambda: None)
    monkeypatch.setattr(cluster, "resolve", lambda *_: target)
    monkeypatch.setattr(snapshot, "take_snapshot", lambda _: {"nodes": [], "tasks": []})
    file = tmp_path / "swarm.json"
    for _ in range(2):
        assert cli.main(["snapshot", "-o", str(file)]) == 0
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
