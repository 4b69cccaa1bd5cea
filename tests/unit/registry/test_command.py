"""``swarmctl registry refresh`` and ``pull``: lines, JSON and exit codes."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

import swarmctl.cluster
import swarmctl.prefetch.pull
import swarmctl.registry.refresh
from swarmctl.cli.main import main
from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import Pulled
from swarmctl.registry.refresh import Item, Result


class Target:
    """A Swarm that is not asked."""

    def failover(self) -> Any:
        return nullcontext()

    def nodes(self) -> dict[str, str]:
        return {"mgr1": "somewhere"}


@pytest.fixture(autouse=True)
def target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarmctl.cluster, "resolve", lambda *_: Target())


def answer(monkeypatch: pytest.MonkeyPatch, *items: Item) -> dict[str, Any]:
    """Let a refresh return these items; its options are in the result."""
    asked: dict[str, Any] = {}

    def refresh(_engine: Any, names: Any, **options: Any) -> list[Item]:
        asked.update(options, names=names)
        return list(items)

    monkeypatch.setattr(swarmctl.registry.refresh, "refresh", refresh)
    return asked


FRESH = Item("1", "web", "ecr", Result.NOT_DUE, timedelta(hours=1), due_in=timedelta(hours=4))
ENDED = Item(
    "2", "api", "ecr", Result.LEFT_ALONE, timedelta(hours=13), ended=True,
    detail="its update is paused", remedy="go back",
)  # fmt: skip


def test_it_says_for_each_service_how_old_its_credentials_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FRESH)
    assert main(["registry", "refresh"]) == 0
    assert capsys.readouterr().out == "web: not due; credentials for ecr are 1 h 0 min old\n"


def test_ended_credentials_that_stay_are_a_failure_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FRESH, ENDED)
    assert main(["registry", "refresh"]) == 1
    assert (
        "api: left alone; credentials for ecr are 13 h 0 min old, ended: its update is paused "
        "(go back)\n" in capsys.readouterr().out
    )


def test_the_json_has_every_field(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, FRESH)
    assert main(["registry", "refresh", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "services": [
            {
                "service": "web",
                "registry": "ecr",
                "result": "not_due",
                "age_s": 3600.0,
                "ended": False,
                "due_in_s": 14400.0,
                "detail": "",
                "remedy": "",
            }
        ]
    }


def test_options_reach_the_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch)
    main(["registry", "refresh", "web", "--older-than", "6h", "--dry-run"])
    assert asked == {"names": ["web"], "older_than": timedelta(hours=6), "dry_run": True}
    main(["registry", "refresh", "--older-than", "0"])
    assert asked["older_than"] == timedelta()


@pytest.mark.parametrize(("fault", "code"), [("", 0), ("no such image", 1)])
def test_a_pull_that_fails_is_named(
    fault: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = [Pulled(Pull("mgr1", "x:1", ()), 1.0, fault)]
    monkeypatch.setattr(swarmctl.prefetch.pull, "pull_all", lambda *_, **__: done)
    assert main(["registry", "pull", "x:1", "mgr1"]) == code
    assert fault in capsys.readouterr().err


def test_a_pull_on_an_unknown_node_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "pull", "x:1", "mgr9"]) == 2
    assert "mgr1" in capsys.readouterr().err
