"""What a machine is told, as a shell runs it, with a command ``docker`` that only writes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from swarmctl.membership.machine import leave, left_behind
from swarmctl.swarm.node import Node
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.shell import CommandError, Shells
from tests.unit.engine_json import node


class Here(Shells):
    """Scripts run in a shell of this machine that finds commands in one folder first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(dict)
        self.folder = folder
        self.told = folder / "told"

    def docker(self, script: str) -> Here:
        """What ``docker`` does."""
        path = self.folder / "docker"
        path.write_text(f'#!/bin/sh\necho "$*" >>{self.told}\n{script}\n')
        path.chmod(0o755)
        return self

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-s"],
            input=script,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"{node}: {done.stderr.strip()}", done.returncode)
        return done.stdout

    def left(self) -> bool:
        return "swarm leave" in self.told.read_text().splitlines()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def entry(name: str, identifier: str) -> Node:
    raw = node(name) | {"ID": identifier}
    return parse_swarm({"nodes": [raw], "services": [], "tasks": []}).nodes[0]


def test_a_machine_leaves_under_its_own_id_only(here: Here) -> None:
    """Broken: a machine that has joined anew is thrown out with its old entry."""
    assert leave(here.docker("[ $1 = info ] && echo new; exit 0"), entry("a", "old")) == ""
    assert not here.left()
    assert leave(here, entry("a", "new")) == ""
    assert here.left()


def test_an_engine_that_does_not_answer_has_not_left(here: Here) -> None:
    """Broken: it counts as gone, and joins its Swarm again when it wakes up."""
    assert "does not answer" in leave(here.docker("exit 1"), entry("a", "id"))


def test_a_refusal_to_leave_is_the_reason(here: Here) -> None:
    here.docker("[ $1 = info ] && echo id && exit 0; echo 'it is a manager' >&2; exit 1")
    assert "it is a manager" in leave(here, entry("a", "id"))


def test_an_entry_is_left_behind_when_its_machine_is_no_member_as_it(here: Here) -> None:
    entries = [entry("a", "old"), entry("a", "new")]
    assert left_behind(here.docker("echo new"), entries) == ("old",)
    assert left_behind(here.docker("echo"), entries) == ("old", "new")
    with pytest.raises(CommandError):
        left_behind(here.docker("exit 1"), entries)
