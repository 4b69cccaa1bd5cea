"""``swarmctl image repository``: no call for nothing, and no images lost by a slip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmctl.cli.image.repositories import create, remove
from swarmctl.cloud import ecr, ecr_repositories
from swarmctl.errors import RefusedError
from swarmctl.images import home


def test_repositories_are_removed_only_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def remove_repositories(_: object, cluster: str, *, dry_run: bool = False) -> list[str]:
        if not dry_run:
            removed.append(cluster)
        return [f"- repository {cluster}/shop/api"]

    def no_ecr(**_: Any) -> object:
        return object()

    monkeypatch.setattr(ecr, "Ecr", no_ecr)
    monkeypatch.setattr(ecr_repositories, "remove_repositories", remove_repositories)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(RefusedError, match="all images in swarm_app/shop/api would be lost"):
        remove("swarm_app")
    remove("swarm_app", dry_run=True)
    assert removed == []
    remove("swarm_app", yes=True)
    assert removed == ["swarm_app"]


def test_stacks_without_images_need_no_rights_in_ecr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def find_home(setting: str, cluster: str) -> object:
        asked.append(cluster)
        raise RefusedError(setting)

    monkeypatch.setattr(home, "find_home", find_home)
    (tmp_path / "docker-compose.yml.j2").write_text("services: {}\n")
    create([str(tmp_path)], "swarm_app")
    assert asked == []
    image = tmp_path / "images" / "api"
    image.mkdir(parents=True)
    (image / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(RefusedError):
        create([str(tmp_path)], "swarm_app")
    assert asked == ["swarm_app"]
