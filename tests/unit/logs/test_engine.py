"""Each task's node is asked for itself: one that is silent costs its own lines and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from swarmctl.logs.engine import ask_each, follow
from swarmctl.logs.where import Names
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.ssh import ManagerError, NotNowError
from tests.unit.logs.test_frames import frame, line
from tests.unit.logs.test_where import FILE, shop
from tests.unit.swarm.test_engine import HANGS_UP, SILENT, Manager

MOMENT = datetime(2026, 11, 28, 13, tzinfo=UTC)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    server = Manager(tmp_path / "engine.sock")
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(manager: Manager) -> Iterator[SwarmClient]:
    with SwarmClient(manager.endpoint) as connected:
        yield connected


def test_a_silent_node_is_given_up_and_the_others_lines_are_there(
    manager: Manager, client: SwarmClient
) -> None:
    swarm = shop(FILE, one=("wkr1", FILE), two=("mgr1", FILE))
    manager.answers = [(SILENT, b""), (200, frame(line("hello")))]
    answers = ask_each(
        client, swarm.tasks, Names.of(swarm), since=None, tail=5, silence_s=0.3
    )  # fmt: skip
    (silent,) = [answer for answer in answers if answer.fault]
    (heard,) = [answer for answer in answers if not answer.fault]
    assert (silent.lines, silent.fault) == ((), "no answer within 0.3 s")
    assert [text.text for text in heard.lines] == ["hello"]
    assert {request.path for request in manager.seen} == {"/tasks/one/logs", "/tasks/two/logs"}
    assert manager.seen[0].query == {
        "stdout": "true", "stderr": "true", "timestamps": "true", "details": "true",
        "follow": "false", "tail": "5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("node id-wkr1 is not available", "the managers have lost its connection"),
        ("the disk is full", "the disk is full"),
    ],
)
def test_lines_before_the_engines_complaint_are_kept(
    manager: Manager, client: SwarmClient, told: str, fault: str
) -> None:
    swarm = shop(FILE, one=("wkr1", FILE))
    manager.answers = [(200, frame(line("hello")) + frame(told, 3))]
    (answer,) = ask_each(client, swarm.tasks, Names.of(swarm), since=MOMENT, tail=None)
    assert ([text.text for text in answer.lines], answer.fault) == (["hello"], fault)
    assert manager.seen[0].query["since"] == f"{MOMENT.timestamp():.6f}"
    assert manager.seen[0].query["tail"] == "all"


def test_a_task_that_the_engine_refuses_is_told_in_its_words(
    manager: Manager, client: SwarmClient
) -> None:
    swarm = shop(FILE, one=("wkr1", FILE))
    manager.answers = [(500, b'{"message": "no such task"}')]
    (answer,) = ask_each(client, swarm.tasks, Names.of(swarm), since=None, tail=None)
    assert "no such task" in answer.fault


def test_following_ends_when_its_manager_is_silent_or_gone(
    manager: Manager, client: SwarmClient
) -> None:
    """Broken: --follow shows nothing more and does not say so."""
    (service,) = shop(FILE).services
    manager.answers = [(SILENT, b""), (HANGS_UP, b"")]
    with pytest.raises(NotNowError):
        next(follow(client, service, MOMENT, 0.3))
    with pytest.raises(ManagerError):
        next(follow(client, service, MOMENT, 0.3))
