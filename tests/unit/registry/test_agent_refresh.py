"""The agent renews pull credentials when they are due, whatever the Swarm's services do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.discovery.listeners.registry_refresh import RegistryRefresh
from swarmctl.registry.refresh import Item, Result
from swarmctl.swarm.engine import Engine
from tests.unit.engine_fake import FakeEngine

EDITION: Edition = None  # type: ignore[assignment]  # it is not looked at


class Bench:
    """A listener over a clock and answers of the test's own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.items: list[Item] = []
        self.looks = 0
        self.log: list[str] = []
        self.listener = RegistryRefresh(
            self._engine, self.log.append, lambda: self.now, self._renew
        )

    def look(self, result: Result, due_in_s: float | None = None, detail: str = "") -> None:
        due = None if due_in_s is None else timedelta(seconds=due_in_s)
        self.items = [Item("1", "web", "ecr", result, due_in=due, detail=detail)]
        self.listener.publish(EDITION)

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        yield FakeEngine()

    def _renew(self, _: Engine) -> list[Item]:
        self.looks += 1
        return self.items


def test_a_new_edition_is_no_reason_to_look_again() -> None:
    bench = Bench()
    for _ in range(3):
        bench.look(Result.NOT_DUE, due_in_s=3600)
    assert bench.looks == 1


@pytest.mark.parametrize(("due_in_s", "wait"), [(3600, 300), (20, 20), (0.1, 5), (None, 300)])
def test_it_looks_again_when_the_next_service_is_due(due_in_s: float | None, wait: float) -> None:
    bench = Bench()
    bench.look(Result.NOT_DUE, due_in_s)
    assert bench.listener.refresh_s == wait
    bench.now += wait
    bench.look(Result.NOT_DUE, due_in_s)
    assert bench.looks == 2


def test_what_was_renewed_and_what_is_left_alone_is_in_the_log_once() -> None:
    bench = Bench()
    bench.look(Result.RENEWED)
    for _ in range(2):
        bench.now += 300
        bench.look(Result.LEFT_ALONE, detail="its update is paused")
    assert len(bench.log) == 2
    assert "its update is paused" in bench.log[1]


def test_a_failure_is_tried_again() -> None:
    bench = Bench()
    for _ in range(2):
        with pytest.raises(PublishError, match="no token"):
            bench.look(Result.FAILED, detail="no token")
        bench.now += 60
    assert bench.looks == 2
    bench.look(Result.NOT_DUE)
    bench.look(Result.NOT_DUE)
    assert bench.looks == 3


def test_after_a_failure_a_new_edition_is_no_reason_to_look_either_but_it_has_still_failed() -> (
    None
):
    bench = Bench()
    for _ in range(3):
        with pytest.raises(PublishError, match="no token"):
            bench.look(Result.FAILED, detail="no token")
    assert bench.looks == 1
