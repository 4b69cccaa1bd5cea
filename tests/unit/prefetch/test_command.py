"""``swarmctl image prefetch``: what is printed, and the exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarmctl import cluster
from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError
from swarmctl.prefetch import pull
from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import Pulled
from tests.unit.engine_json import node, service, swarm, task

Run = Callable[..., int]


class Target:
    """Three workers and the service ``web``: wkr1 has its image, wkr2 not."""

    instances = ("i-1",)

    def __init__(self, third: str) -> None:
        self.third = third

    def failover(self) -> Target:
        return self

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None: ...

    def snapshot(self) -> Any:
        nodes = [node("wkr1"), node("wkr2"), node("wkr3", state=self.third)]
        return swarm(nodes, [service("web")], [task("web", "wkr1", 1)])

    def shell(self) -> Target:
        return self

    def nodes(self) -> dict[str, Any]:
        return {}

    def run(self, name: str, script: str, timeout_s: float = 20.0) -> str:
        if name == "wkr3":
            raise SwarmctlError("wkr3: no answer")
        return "httpd:2.4 httpd@<none> sha256:1" if name == "wkr1" else ""

    def close(self) -> None: ...


@pytest.fixture
def prefetch(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: str, third: str = "ready", fault: str = "") -> int:
        def pull_all(todo: Any, *_: Any, note: Callable[[Pulled], None], **__: Any) -> list[Pulled]:
            done = [Pulled(each, 1.25, fault) for each in todo]
            for each in done:
                note(each)
            return done

        monkeypatch.setattr(cluster, "resolve", lambda *_: Target(third))
        monkeypatch.setattr(pull, "pull_all", pull_all)
        return cli.main(["image", "prefetch", *words])

    return run


def test_a_node_that_is_down_or_silent_is_named_and_the_exit_code_is_1(
    prefetch: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prefetch() == 1
    captured = capsys.readouterr()
    assert captured.out == "1 pulled, 1 already there\n"
    assert captured.err == (
        "error: wkr3: not asked: wkr3: no answer\nwkr2: httpd:2.4 after 1.2 s\n"
    )
    assert prefetch("web", third="down") == 1
    assert "error: wkr3: not asked: the node is down" in capsys.readouterr().err


def test_a_pull_that_fails_says_where_and_why(
    prefetch: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "run", lambda *_, **__: "")
    assert prefetch() == 0
    assert prefetch(fault="unauthorized") == 1
    captured = capsys.readouterr()
    assert "error: wkr2: httpd:2.4: unauthorized" in captured.err
    assert captured.out.endswith("0 pulled, 0 already there, 3 failed\n")


def test_a_dry_run_pulls_nothing(
    prefetch: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "run", lambda *_, **__: "")
    assert prefetch("--dry-run", third="down", fault="must not be called") == 1
    captured = capsys.readouterr()
    wanted = [Pull(f"wkr{n}", "httpd:2.4", ("web",)) for n in (1, 2)]
    assert captured.out.splitlines() == [
        f"{each.node} would pull {each.image} for web" for each in wanted
    ]
    assert "must not" not in captured.err
