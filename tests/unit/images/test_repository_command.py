"""``swarmctl image repository remove``: all images of a cluster are not lost by a slip."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.cli.image.repositories import remove
from swarmctl.cloud import ecr, ecr_repositories
from swarmctl.errors import RefusedError


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
