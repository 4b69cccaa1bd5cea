"""Before a deploy: images go where the new tasks may run, and a failure stops no deploy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from swarmctl.cloud.instances import Instance
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.prefetch import before_deploy
from swarmctl.prefetch.before_deploy import MOST_PULLS, prefetch_before
from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import Pulled
from tests.unit.engine_fake import service_spec
from tests.unit.engine_json import node, swarm


class Nodes:
    """``wkr1`` has httpd, ``wkr2`` nothing, ``wkr3`` does not answer."""

    def run(self, name: str, script: str, timeout_s: float = 20.0) -> str:
        if name == "wkr3":
            raise SwarmctlError("wkr3: no answer")
        return "httpd:2.4 httpd@<none> sha256:1\n" if name == "wkr1" else ""

    def close(self) -> None: ...


class FakeTarget(Target):
    """A cluster of these nodes."""

    def shell(self) -> Any:
        return Nodes()

    def nodes(self) -> dict[str, Any]:
        return {}


SWARM = swarm([node(f"wkr{n}") for n in (1, 2, 3)], [], [])
FOUND = (Instance("i-1", "wkr1", "shop", "worker", "running", "10.0.0.1", "", "", "admin"),)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Pull], list[str]]]:
    """Prefetch for these images; what was pulled, and what the user saw."""
    pulled: list[Pull] = []

    def pull_all(todo: Sequence[Pull], *_: Any, note: Callable[[Pulled], None], **__: Any) -> Any:
        pulled.extend(todo)
        done = [Pulled(pull, 0.5, "unauthorized" if "bad" in pull.image else "") for pull in todo]
        for each in done:
            note(each)
        return done

    monkeypatch.setattr(before_deploy, "pull_all", pull_all)

    def deploy(*images: str, wanted: bool | None = None, target: Target | None = None) -> Any:
        specs = {f"s{i}": service_spec(f"s{i}", image=image) for i, image in enumerate(images)}
        lines: list[str] = []
        prefetch_before(
            target or FakeTarget((), instances=FOUND),
            SWARM,
            specs,
            lambda _: "",
            wanted=wanted,
            timeout_s=5,
            note=lines.append,
        )
        return pulled, lines

    return deploy


def test_what_is_missing_is_pulled_and_a_silent_node_is_named(deployed: Any) -> None:
    pulls, lines = deployed("httpd:2.4")
    assert [(pull.node, pull.image) for pull in pulls] == [("wkr2", "httpd:2.4")]
    assert lines == [
        "warning: nothing prefetched on wkr3: wkr3: no answer",
        "prefetching: httpd:2.4 on 1 node",
        "prefetched: 1 pulls, the slowest 0.5 s",
    ]


def test_a_pull_that_fails_is_a_warning(deployed: Any) -> None:
    _, lines = deployed("bad:1")
    assert "warning: bad:1 not prefetched on wkr1: unauthorized" in lines
    assert not any(line.startswith("prefetched") for line in lines)


def test_many_pulls_are_left_to_the_user(deployed: Any) -> None:
    images = [f"image:{n}" for n in range(MOST_PULLS)]
    pulls, lines = deployed(*images)
    assert pulls == []
    assert lines[-1] == f"not prefetched: {2 * MOST_PULLS} pulls; --prefetch does more than 40"
    assert len(deployed(*images, wanted=True)[0]) == 2 * MOST_PULLS


def test_nothing_is_asked_or_pulled_unless_it_can_be(deployed: Any) -> None:
    assert deployed("httpd:2.4", wanted=False) == ([], [])
    assert deployed() == ([], [])
    alone = Target(())
    assert deployed("httpd:2.4", target=alone) == ([], [])
    assert deployed("httpd:2.4", target=alone, wanted=True)[1] == [
        "warning: nothing prefetched: --host names one manager only"
    ]
