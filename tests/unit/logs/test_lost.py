"""What a node has and CloudWatch has not is counted, each line once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.logs import lost as module
from swarmctl.logs.engine import Answer
from swarmctl.logs.line import Line
from swarmctl.logs.lost import losses, missing
from swarmctl.logs.where import Chosen
from tests.unit.logs.test_read import Group
from tests.unit.logs.test_where import CLOUD, FILE, shop

OLD = datetime.now(UTC) - timedelta(minutes=5)


def line(text: str, at: datetime = OLD, task: str = "live") -> Line:
    return Line(at, "web", "web.1", task, "wkr1", "stdout", text)


def test_a_line_that_is_stored_once_is_missing_once() -> None:
    fine = OLD.replace(microsecond=123_456)
    written = [line("a", fine), line("a", fine), line("b", fine), line("a", fine, "other")]
    stored = [line("a", fine.replace(microsecond=123_000)), line("b", fine)]
    gone = list(missing(written, stored))
    assert [(each.text, each.task) for each in gone] == [("a", "live"), ("a", "other")]


def test_only_tasks_that_write_to_the_cloud_are_compared_and_only_what_had_time_to_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swarm = shop(CLOUD, live=("wkr1", CLOUD), dead=("wkr2", CLOUD), file=("wkr1", FILE))
    by_id = {task.id: task for task in swarm.tasks}
    told = (line("kept"), line("gone"), line(""), line("under way", datetime.now(UTC)))

    def ask(client: Any, tasks: Any, *_: Any, **options: Any) -> list[Answer]:
        assert [task.id for task in tasks] == ["live"]
        assert options == {"since": OLD, "tail": None}
        return [Answer(by_id["live"], told, "no answer within 8 s")]

    monkeypatch.setattr(module, "ask_each", ask)
    at = int(OLD.timestamp() * 1000)
    group = Group(**{by_id["live"].container_id: [(at, "kept")]})
    client: Any = None
    (found,) = losses(client, lambda _: group, swarm, swarm.services, Chosen(), OLD)
    assert (found.written, [each.text for each in found.lost]) == (2, ["gone"])
    assert (found.replica, found.node) == ("web.1", "wkr1")
    assert found.fault == "no answer within 8 s"


def test_that_nothing_could_be_compared_is_not_that_nothing_is_lost() -> None:
    """Broken: a check that no line was lost passes for a service that writes to no CloudWatch."""
    swarm = shop(FILE, live=("wkr1", FILE))
    client: Any = None
    with pytest.raises(SwarmctlError, match="nothing could be compared"):
        losses(client, lambda _: client, swarm, swarm.services, Chosen(), OLD)
