"""A command that a person is told to paste runs what it says, whatever others have named things."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from swarmctl.chaos.doctor.inspect_nodes import Trace
from swarmctl.chaos.faults import FAULTS, make_fault
from swarmctl.chaos.journal.journal import TargetRecord
from swarmctl.host_keys import by_hand
from swarmctl.network.paths import Path as NetworkPath
from swarmctl.network.paths import Paths, path_findings
from swarmctl.reading.commands import on_node
from tests.unit.chaos.faults.contexts import bare

HOSTILE = [
    "wkr1; touch made",
    "$(touch made)",
    "`touch made`",
    "wkr1\nfoo",
    "a 'b' \"c\" *",
    "-oProxyCommand=touch made",
    "& touch made &",
]


def pasted(command: str, folder: Path) -> list[list[str]]:
    """The words with which each program is called when this is pasted into a shell."""
    fakes = "".join(
        f"{name}() {{ printf '%s\\0' {name} \"$@\"; printf '\\0'; }}\n"
        for name in ("ssh", "docker", "aws", "swarmctl")
    )
    ran = subprocess.run(
        ["sh", "-c", f"{fakes}{command}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert list(folder.iterdir()) == []
    return [call.split("\0") for call in ran.stdout.split("\0\0") if call]


def host(words: list[str]) -> str:
    """The host that ssh connects to: an option is none."""
    assert words[0] == "ssh"
    return words[2] if words[1] == "--" else words[1] if not words[1].startswith("-") else ""


def of_trace(node: str) -> str:
    return Trace("run", home="/run/x;$(touch made)", undo=True).remove_command(node)


def of_trace_without_script(node: str) -> str:
    return Trace("run", home="/run/x", by_hand=["systemctl stop y"]).remove_command(node)


def of_fault(node: str) -> str:
    fault = make_fault("partition", bare())
    return fault.undo_by_hand(TargetRecord(node, "n", "worker", "i-1"))


def of_path(node: str) -> str:
    (found,) = path_findings(Paths((NetworkPath("mgr1", node, "7946/tcp", False),), {}))
    return found.remedy.partition("run there: ")[2]


@pytest.mark.parametrize("node", HOSTILE)
@pytest.mark.parametrize("command", [of_trace, of_trace_without_script, of_fault, of_path])
def test_a_nodes_name_is_one_word_and_no_option(
    command: Callable[[str], str], node: str, tmp_path: Path
) -> None:
    (words,) = pasted(command(node), tmp_path)
    assert host(words) == node
    assert "sudo" in words[-1] or "sudo" in words


def test_usual_names_need_no_quotes() -> None:
    assert on_node("swarm_app_wkr1", "sudo reboot") == "ssh swarm_app_wkr1 sudo reboot"


def test_what_a_node_has_named_is_quoted_for_its_own_shell_too(tmp_path: Path) -> None:
    (words,) = pasted(of_trace("wkr1"), tmp_path)
    assert words[2] == "sudo sh '/run/x;$(touch made)/undo'"


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_ids_of_a_journal_are_single_words(fault: str, tmp_path: Path) -> None:
    """A journal may come from elsewhere."""
    made = make_fault(fault, bare())
    bad = TargetRecord(
        node="wkr1; touch made",
        node_id="$(touch made)",
        role="worker",
        instance_id="i-1; touch made",
    )
    command = made.undo_by_hand(bad)
    if fault != "instance-terminate":  # its first command is the user's own
        pasted(command, tmp_path)
    assert "docker node rm $(" not in command


@pytest.mark.parametrize("node", HOSTILE)
def test_a_host_key_is_recorded_for_one_word(node: str, tmp_path: Path) -> None:
    (words,) = pasted(by_hand(node).partition("then: ")[2], tmp_path)
    assert node in words
