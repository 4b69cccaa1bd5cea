"""Connections to nodes: they end with what opened them, and follow the Swarm that is found anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from swarmctl.cli.discovery.show import reader
from swarmctl.cloud.instances import Instance
from swarmctl.cluster import Target
from swarmctl.discovery import source as live
from swarmctl.discovery.source import LiveSource
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.ssh import ManagerError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))


def target(name: str) -> Target:
    address = "10.42.0.5"
    one = Instance(f"i-{name}", name, "worker", "running", address, "", "a", "admin", "c")
    return Target((), "c", (one,))


def test_a_reader_that_fails_leaves_no_connection_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Shells] = []
    monkeypatch.setattr(Shells, "close", lambda shells: ended.append(shells))
    with pytest.raises(ManagerError), reader(target("wkr1")):
        raise ManagerError("no manager answers")
    assert len(ended) == 1


def test_the_agent_reaches_the_nodes_of_the_swarm_that_was_found_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: all machines are new, and forgotten ports are asked of those that are gone."""
    monkeypatch.setattr(live, "RESOLVE_AFTER_S", -1.0)
    with LiveSource(target("old"), lambda: target("new")) as source:
        shell = cast(Any, source.shell())
        assert set(shell.endpoints()) == {"old"}
        with pytest.raises(SwarmctlError):
            source.snapshot()  # there is no manager
        assert set(shell.endpoints()) == {"new"}


def test_a_manager_that_was_named_tells_no_addresses_of_nodes() -> None:
    with LiveSource(Target(()), lambda: Target(())) as source:
        assert source.shell() is None
