"""A terminated machine is made anew by a command, and its dead node is removed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos.faults.instance_terminate import InstanceTerminate
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import EngineError
from tests.unit.chaos.faults.contexts import Beside, target

ONE, TWO = target("wkr1"), target("wkr2")


@pytest.fixture
def at() -> Beside:
    return Beside()


def terminated(at: Beside, command: str = "true") -> InstanceTerminate:
    """wkr1 and wkr2 are gone, and Down."""
    fault = InstanceTerminate(at.context(replace_with=command))
    fault.inject([ONE, TWO])
    at.lab.clock.pause(20)
    return fault


def test_what_will_be_done_is_said_with_its_undo(at: Beside) -> None:
    fault = InstanceTerminate(at.context(replace_with="make nodes"))
    assert fault.describe(ONE) == (
        "terminate wkr1 (i-wkr1) for good, with its disk; undo: a new machine, made by `make nodes`"
    )
    (step,) = fault.undo_steps([ONE])
    assert step.action == "replace-instance"
    assert step.by_hand == "make nodes; docker node rm id-wkr1"


def test_the_command_runs_once_for_all_and_their_dead_nodes_are_removed(
    at: Beside, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    fault = terminated(at, f"sh -c 'echo once >>{ran}'")
    assert at.texts("stop-accepted")[0] == "TerminateInstances accepted for wkr1"
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert ran.read_text() == "once\n"
    assert [node.hostname for node in at.lab.nodes] == ["mgr1", "wkr3"]
    assert at.texts("replaced") == ["wkr1, wkr2 replaced by sh"]
    assert at.shown == [f"`sh -c 'echo once >>{ran}'` to replace wkr1, wkr2"]


def test_only_what_is_gone_is_replaced(at: Beside) -> None:
    fault = terminated(at)
    at.lab.states["wkr2"] = "running"
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert at.texts("replaced") == ["wkr1 replaced by true"]
    assert [node.hostname for node in at.lab.nodes] == ["mgr1", "wkr2", "wkr3"]


def test_without_a_loss_no_command_runs(at: Beside) -> None:
    fault = InstanceTerminate(at.context(replace_with="false"))
    fault.revert(fault.undo_steps([ONE]))
    assert at.texts() == []


def test_a_request_that_arrives_late_is_waited_for(at: Beside) -> None:
    fault = InstanceTerminate(at.context(replace_with="true"))
    fault.begun_elsewhere = True
    at.lab.clock.at(3.0, lambda: at.lab.terminate("i-wkr1"))
    fault.revert(fault.undo_steps([ONE]))
    assert at.texts("replaced") == ["wkr1 replaced by true"]


def test_the_command_gets_no_input_no_signals_and_half_an_hour(
    at: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: Ctrl-C ends the playbook in the middle, or a question of it blocks for ever."""
    seen: dict[str, Any] = {}

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        seen.update(options, words=words)
        return subprocess.CompletedProcess(words, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    fault = terminated(at, "play 'my site.yml'")
    fault.revert(fault.undo_steps([ONE]))
    assert seen["words"] == ["play", "my site.yml"]
    assert seen["stdin"] == subprocess.DEVNULL
    assert seen["start_new_session"] is True
    assert seen["timeout"] == 1800.0


def failing(at: Beside, command: str) -> SwarmctlError:
    fault = terminated(at, command)
    with pytest.raises(SwarmctlError) as caught:
        fault.revert(fault.undo_steps([ONE]))
    assert len(at.lab.nodes) == 4  # the dead node stays listed until it is replaced
    return caught.value


def test_a_command_that_fails_shows_its_last_lines(at: Beside) -> None:
    command = "sh -c 'seq 20; echo why >&2; exit 3'"
    error = failing(at, command)
    lines = "\n".join(str(n) for n in range(7, 21))
    assert error.message == f"`{command}` ended with 3:\n{lines}\nwhy"


def test_a_command_that_is_missing_is_named_with_the_remedy(at: Beside) -> None:
    error = failing(at, "no-such-command --now")
    assert error.message == "cannot run `no-such-command --now`: no-such-command was not found"
    assert error.hint == "run it from the project's directory, or give --replace-with"


def test_a_command_that_does_not_end_is_given_up(
    at: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(words, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    assert failing(at, "play").message == "`play` did not end within 1800 s"


# --- the dead node --------------------------------------------------------------------------------


def removing(at: Beside, status: int) -> list[tuple[object, ...]]:
    """Answer requests to remove a node with this status; returns the requests."""
    sent: list[tuple[object, ...]] = []

    def send(method: str, path: str, body: Any = None, **options: Any) -> None:
        sent.append((method, path, options))
        if status != 200:
            raise EngineError("it cannot be removed", status)

    at.lab.engine.send = send  # type: ignore[method-assign]  # the managers
    return sent


@pytest.mark.parametrize("status", [200, 404])
def test_a_dead_node_is_removed_by_force(at: Beside, status: int) -> None:
    fault = terminated(at)
    sent = removing(at, status)
    fault.revert(fault.undo_steps([ONE]))
    assert sent == [
        ("DELETE", "/nodes/id-wkr1", {"params": {"force": "true"}, "repeat": True}),
    ]


def test_a_dead_node_that_cannot_be_removed_fails_the_undo(at: Beside) -> None:
    fault = terminated(at)
    removing(at, 500)
    with pytest.raises(EngineError, match="it cannot be removed"):
        fault.revert(fault.undo_steps([ONE]))


def test_a_node_that_is_live_or_gone_is_not_removed(at: Beside) -> None:
    fault = terminated(at)
    sent = removing(at, 500)
    at.lab.nodes = [
        replace(node, state="ready") for node in at.lab.nodes if node.hostname != "wkr1"
    ]
    fault.revert(fault.undo_steps([ONE, TWO]))
    assert sent == []
